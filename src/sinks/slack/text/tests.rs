use proptest::prelude::*;

use super::*;
use crate::sinks::sample;

/// What a reader would see.
fn read(sent: &str) -> String {
    sent.replace(JOINER, "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn has_marks(sent: &str) -> bool {
    let entity = |rest: &str| ["amp;", "lt;", "gt;"].iter().any(|name| rest.starts_with(name));
    sent.contains(['<', '>']) || sent.match_indices('&').any(|(at, _)| !entity(&sent[at + 1..]))
}

#[test]
fn three_characters_are_escaped_and_no_other() {
    for (text, sent) in [
        ("a & b <c> 'd' \"e\" *f* _g_ ~h~ `i`", "a &amp; b &lt;c&gt; 'd' \"e\" *f* _g_ ~h~ `i`"),
        ("<!channel> <@U1> &lt;!here&gt;", "&lt;!channel&gt; &lt;@\u{2060}U1&gt; &amp;lt;!here&amp;gt;"),
        ("@all (@here) dba@example.org é@x", "@\u{2060}all (@\u{2060}here) dba@example.org é@x"),
        ("", ""),
    ] {
        assert_eq!(escaped(text, 1000), sent);
        assert_eq!(read(sent), text);
    }
}

/// Slack counts what it is sent, and half an escape is none.
#[test]
fn a_text_is_cut_between_characters_as_they_are_sent() {
    for (text, limit, sent) in [
        ("abcd", 4, "abcd"),
        ("abcde", 4, "abc…"),
        ("&&", 10, "&amp;&amp;"),
        ("&&", 9, "&amp;…"),
        ("a&", 5, "a…"),
        ("🦀🦀", 4, "🦀🦀"),
        ("🦀🦀🦀", 4, "🦀…"),
        ("@all", 3, "@\u{2060}…"),
        ("abc", 1, "…"),
    ] {
        assert_eq!(escaped(text, limit), sent, "{text} {limit}");
    }
}

#[test]
fn nothing_in_a_block_of_code_ends_it() {
    for (text, sent) in [
        ("a\nb\n", "```\na\nb\n```"),
        ("```\n<!channel>", "```\n`\u{2060}`\u{2060}`\n&lt;!channel&gt;\n```"),
        ("a ` b `` c\n`", "```\na ` b `\u{2060}` c\n`\n```"),
        ("@all *b* &amp;", "```\n@all *b* &amp;amp;\n```"),
    ] {
        assert_eq!(code(text, 1000), sent);
    }
}

#[test]
fn of_output_that_is_too_long_the_last_lines_are_shown() {
    for (text, limit, sent) in [
        ("ab\ncd", 15, "```\nab\ncd\n```"),
        ("ab\ncd", 14, "```\n…\ncd\n```"),
        ("ab\ncd", 13, "```\n…\ncd\n```"),
        ("abcdefgh", 16, "```\n…\ncdefgh\n```"),
        ("ab\n<<<<", 18, "```\n…\n&lt;&lt;\n```"),
        // The first that is shown is not behind another one.
        ("x`````", 16, "```\n…\n`\u{2060}`\u{2060}`\n```"),
    ] {
        assert_eq!(code(text, limit), sent, "{text} {limit}");
    }
}

#[test]
fn only_what_is_plainly_a_url_is_a_link() {
    for (text, sent) in [
        ("https://wiki.example/db?a=1&b=2#top", Some("<https://wiki.example/db?a=1&amp;b=2#top>")),
        ("http://[::1]:80/*_~", Some("<http://[::1]:80/*_~>")),
        ("ftp://wiki.example/", None),
        ("javascript:alert(1)//https://x", None),
        ("https://", None),
        ("https:///x", None),
        ("https://x/|Sign in", None),
        ("https://x/>!channel<", None),
        ("https://x/ y", None),
        ("https://x/\n", None),
        ("https://x/é", None),
        ("see https://x/", None),
        ("", None),
    ] {
        assert_eq!(link(text).as_deref(), sent, "{text}");
    }
    assert!(link(&format!("https://x/{}", "y".repeat(1000))).is_none());
}

proptest! {
    #[test]
    fn no_text_is_more_than_text_or_longer_than_it_may_be(text in sample::hostile(), limit in 1..400_usize) {
        let sent = escaped(&text, limit);
        prop_assert!(units(&sent) <= limit && !has_marks(&sent), "{sent}");
        let shown = read(&sent);
        let text = read(&text.replace('&', "&amp;"));
        prop_assert!(shown == text || text.starts_with(shown.strip_suffix(CUT).unwrap()), "{sent}");
    }

    #[test]
    fn a_block_of_code_has_one_beginning_and_one_end(
        parts in prop::collection::vec(prop_oneof!["`{1,7}", "[\n<>&]{1,9}", sample::hostile()], 0..9),
        limit in 30..400_usize,
    ) {
        let text = parts.concat();
        let sent = code(&text, limit);
        prop_assert!(units(&sent) <= limit && !has_marks(&sent), "{sent}");
        prop_assert_eq!(sent.matches("```").count(), 2, "{}", sent);
        let shown = sent.strip_prefix("```\n").and_then(|sent| sent.strip_suffix("\n```")).unwrap();
        let text = read(&text.trim_end().replace('&', "&amp;"));
        prop_assert!(text.ends_with(&read(shown.strip_prefix("…\n").unwrap_or(shown))), "{sent}");
    }
}
