//! What is masked and what is not.

mod cuts;
mod shown;
mod vectors;

use std::ffi::OsStr;
use std::fs;

use proptest::prelude::*;

use super::*;

/// Texts with the secret between `⟨` and `⟩`.
const SECRETS: [&str; 100] = [
    "password=⟨hunter2⟩",
    "password = ⟨hunter2⟩",
    "DB_PASSWORD: ⟨hunter2⟩ and more",
    "PGPASSWORD=⟨hunter2⟩ pg_dump app",
    "MYSQL_PWD=⟨hunter2⟩",
    "user=app passwd=⟨hun,ter;2⟩",
    "passphrase: ⟨correct⟩ horse",
    "Enter pass phrase: ⟨correct⟩",
    "password=⟨a=b:c⟩",
    "password=⟨don't-tell⟩",
    "password=⟨a,b;c&d⟩",
    "{password=⟨x,y⟩, user=joe}",
    "password=⟨abcd⟩,user=joe",
    "https://x/y?user=joe&token=⟨abcd⟩&page=2",
    "curl 'https://x/y?api_key=⟨abcd⟩' -o z",
    r#"{"user":"joe","password":"⟨hunt er2⟩","n":1}"#,
    r#"{"clientSecret" : "⟨a\"b⟩", "n": 1}"#,
    r#"sent "{\"accessToken\": \"⟨abc def⟩\", \"n\": 1}" to x"#,
    "{'apiKey': '⟨abc def⟩'}",
    "os.environ['API_TOKEN'] = '⟨abc⟩'",
    "password: \"⟨never closed⟩",
    "password: '⟨don'\\''t⟩' x",
    "secrets: [⟨one, two⟩] three",
    "credentials: {⟨user: joe⟩}",
    "<password>⟨hunter2 or so⟩</password>",
    "mysqldump --password ⟨hunter2⟩ app",
    "mysqldump --password=⟨hunter2⟩ app",
    "mysqldump --password '⟨correct horse⟩' app",
    "x --api-key ⟨abc⟩ y",
    "java -storepass ⟨abc⟩ x",
    "openssl enc -k -passin pass:⟨hunter2⟩ -in x",
    "x --dbPassword ⟨abc⟩",
    "api key: ⟨abc⟩",
    "Secret access key = ⟨abc/def+ghi⟩",
    "aws_secret_access_key = ⟨wJalrXUtnFEMI/K7MDENG⟩",
    "private-key: ⟨abc⟩",
    "AccountName=x;AccountKey=⟨abc==⟩;EndpointSuffix=y",
    "X-Auth: ⟨abc⟩",
    "https://s3/x?X-Amz-Signature=⟨abcd⟩&a=1",
    "password := ⟨abc⟩",
    "'password' => '⟨abc⟩',",
    "secret_key_base: ⟨abc⟩",
    "sshpass=⟨abc⟩",
    "Authorization: Bearer ⟨xyz⟩",
    "authorization: ⟨xyz abc⟩",
    "Authorization: Token ⟨xyz⟩",
    "Authorization: Basic ⟨dXNlcjpw⟩",
    "Authorization: Digest ⟨username=\"joe\", response=\"6629\"⟩",
    "curl -H 'Authorization: Digest ⟨username=\"joe\", response=\"6629\"⟩' https://x",
    "curl -H \"Authorization: Bearer ⟨xyz⟩\" https://x",
    "{\"Authorization\": \"Bearer ⟨xyz⟩\"}",
    "> Cookie: ⟨a=b; sid=abc⟩\n< ok",
    "Set-Cookie: ⟨sid=abc; Path=/⟩",
    "sent Bearer ⟨xyz⟩ to it",
    "the header was bearer ⟨abcdef123⟩",
    "got Basic ⟨dXNlcjpw⟩ instead",
    "auth: basic ⟨dXNlcjpw⟩",
    "curl -u joe:⟨hunter2⟩ https://x",
    "curl -ujoe:⟨hunter2⟩ https://x",
    "curl --user joe:⟨hun:ter2⟩ https://x",
    "curl --user='joe:⟨hunter 2⟩' https://x",
    "postgres://app:⟨hunter2⟩@db/x",
    "postgres://app:⟨hun@ter2⟩@db/x",
    "postgres://app:⟨hun/ter2⟩@db/x",
    "redis://:⟨hunter2⟩@db:6379/0",
    "mongodb://app:⟨pw⟩@h1:27017,h2:27017/x",
    "two: https://a:⟨b⟩@c,https://d.example/x",
    "https://⟨TOKEN⟩@github.com/org/repo",
    "https://⟨abc123⟩:x-oauth-basic@github.com/org/repo",
    "<https://joe:⟨pw⟩@host>",
    "app:⟨hunter2⟩@db/x",
    "DSN=app:⟨hunter2⟩@tcp(db:3306)/x",
    "rsync joe:⟨hun@ter2⟩@host::module",
    "key ⟨AKIAIOSFODNN7EXAMPLE⟩ is gone",
    "(⟨ASIAIOSFODNN7EXAMPLE⟩)",
    "⟨ghp_16C7e42F292c6912E7710c838347Ae178B4a⟩",
    "x-⟨gho_16C7e42F292c6912E7710c838347Ae178B4a⟩.",
    "⟨github_pat_11ABCDEFG0abcdefghijkl_mnop⟩",
    "⟨glpat-abcdefghij1234567890⟩ x",
    "⟨xoxb-123456789012-abcdefghij⟩",
    "⟨xoxp-123456789012-abcdefghij⟩",
    "⟨sk_live_4eC39HqLyjWDarjtT1zdp7dc⟩",
    "⟨sk-ant-api03-abcdefghijklmnop⟩",
    "⟨sk-abcdEFGHijklMNOPqrst⟩",
    "⟨eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_ghi⟩.",
    "⟨eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0⟩ x",
    "https://hooks.slack.com/services/⟨T000/B000/abcdefghijkl⟩ x",
    "⟨-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----⟩\nrest",
    "x ⟨-----BEGIN PRIVATE KEY-----\nMIIE\nabc⟩",
    "⟨abc\nabc=\n-----END OPENSSH PRIVATE KEY-----⟩\nrest",
    "{\"key\": \"⟨-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n⟩\"}",
    "⟨-----BEGIN PGP PRIVATE KEY BLOCK-----\nMIIE⟩",
    "password=⟨héünter⟩ x",
    "пароль password=⟨секрет⟩ дальше",
    "token: ⟨1234⟩",
    "password: (⟨x⟩)",
    "PASS=⟨hunter2⟩",
    "pass: ⟨hunter2⟩",
    "\tpassword\t:\t⟨hunter2⟩\tx",
    "Authorization: Bearer ⟨xyz⟩\r\nHost: x",
];

/// Texts without a secret.
const INNOCENT: [&str; 74] = [
    "",
    "***",
    "monkey: banana",
    "keyboard=us",
    "author: Joe",
    "authority=x",
    "authenticated: joe",
    "tokens processed: 12",
    "max_tokens=4096",
    "token_type: bearer",
    "PASSED: 12 tests",
    "PASS: test_foo",
    "--- PASS: TestFoo (0.00s)",
    "pass: 12, fail: 0",
    "bypass=1",
    "compass: north",
    "lowpass=f=3000",
    "secretary: Joe",
    "key: value",
    "unexpected token: ';' at line 3",
    "INFO auth: user joe logged in",
    "logname= uid=0; sshd:auth): authentication failure",
    "primary_key=id",
    "public_key=abcdef",
    "turkey=cold",
    "passenger=Joe",
    "PWD=/root",
    "OLDPWD=/tmp",
    "password: ",
    "Password:\nroot",
    "password=",
    "password=\"\"",
    "password: incorrect",
    "token=null",
    "auth: failed",
    "(using password: YES)",
    "--no-password app",
    "--ask-pass -v",
    "--password-file /run/secrets/x",
    "--password-stdin registry",
    "--password --verbose",
    "password_file=/run/secrets/x",
    "the password for joe was wrong",
    "secret::Store",
    "vault://secret://x",
    "Basic usage: x",
    "Basic settings are kept",
    "the bearer of bad news",
    "Bearer token",
    "bearer authentication",
    "10:30@noon",
    "at 2026-11-21T07:00:00@x",
    "git@github.com:org/repo",
    "git@github.com:org/repo@v1",
    "ssh://git@github.com/org/repo",
    "https://git@github.com/org/repo",
    "postgres://app@db/x",
    "https://host:8080/x?mail=joe@example.com",
    "https://host/x:y@z",
    "http://[::1]:8080/x@y",
    "mailto:joe@example.com",
    "joe@example.com",
    "nginx:1.25@sha256:abcdef",
    "npm:@scope/package",
    "main.c:120@x",
    "docker run -u 1000:1000 x",
    "sort -u x",
    "task-force-of-twenty-and-more",
    "sk-learn-is-a-library-of-python",
    "ghp_short",
    "AKIA is a prefix",
    "eyJhbGciOiJIUzI1NiJ9 alone",
    "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
];

/// The text of such a line, and how it is to be masked.
fn read(line: &str) -> (String, String) {
    let (before, rest) = line.split_once('⟨').unwrap();
    let (secret, after) = rest.split_once('⟩').unwrap();
    (format!("{before}{secret}{after}"), format!("{before}***{after}"))
}

#[test]
fn what_looks_like_a_secret_is_masked_and_its_name_stays() {
    let wrong: Vec<_> = SECRETS
        .iter()
        .map(|line| read(line))
        .filter(|(text, expected)| masked(text) != *expected)
        .map(|(text, expected)| format!("{text:?}\n  gave     {:?}\n  expected {expected:?}", masked(&text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ordinary_words_stay_as_they_are() {
    for text in INNOCENT {
        assert!(matches!(masked(text), Cow::Borrowed(same) if same == text), "{text:?}: {:?}", masked(text));
    }
}

#[test]
fn several_secrets_are_masked_each() {
    assert_eq!(
        masked("a_token=x b=y password='z' https://u:p@h Bearer abc12345"),
        "a_token=*** b=y password='***' https://u:***@h Bearer ***"
    );
    assert_eq!(masked("--token --password hunter2"), "--token --password ***");
}

#[test]
fn a_sentence_is_sent_plain_and_without_a_word_that_was_cut() {
    for (sentence, sent) in [
        ("exited with 3", "exited with 3"),
        ("'x pass\u{1b}[1mword=\u{1b}[0mhunter2'", "'x password=***'"),
        ("from 'x postgres://app:hunter2…' to 'y'", "from 'x…' to 'y'"),
        ("from 'x --password \"correct hor…' to 'y'", "from 'x --password \"***"),
        ("'ghp_0123456…'", "…'"),
    ] {
        assert_eq!(masked_sentence(sentence), sent);
    }
}

/// What this thread has had of a processor, in nanoseconds: other tests run beside it.
fn processor_time() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn cost(part: &str, length: usize) -> u64 {
    let text = part.repeat(length / part.len());
    let began = processor_time();
    masked(&text);
    masked_sentence(&text);
    masked_words(&[OsStr::new("--x"), OsStr::new(&text)]);
    processor_time() - began
}

/// Every one of these makes a scanner that looks back or ahead without a limit take hours for a MiB.
#[test]
fn a_text_made_to_take_long_does_not() {
    const LENGTH: usize = 4 << 10;
    for part in [
        "a",
        "a:",
        "=",
        ":",
        "@",
        "a@",
        "a:b@",
        "://",
        "a://",
        "a://b:",
        "-",
        "-----",
        "-----BEGIN ",
        "-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        "password=",
        "password=\"",
        "password='a",
        "password=,",
        "password=,a,",
        "password=)",
        "password: ",
        "token=\\\"",
        "token=[",
        "token={[",
        "token=\"ok ",
        "authorization: ok ",
        "authorization: x ",
        "'cookie: ok",
        "--password ",
        "-u ",
        "-ua:",
        "-u a:1 ",
        "eyJ",
        "eyJ.",
        "eyJ-",
        "eyJa.eyJ",
        "sk-",
        "sk-a",
        "ghp_",
        "github_pat_",
        "SG.",
        "xoxb-",
        "Bearer ",
        "bearer a ",
        "Basic ",
        "basic a",
        "AKIA",
        "\\",
        "password\\\\",
        "password        ",
        "<password>",
        "a.",
        "aA",
        "\u{1b}[",
        "\u{1b}]",
        "\u{8}",
        "a\r",
        "\u{9d}",
        "…",
        "a …",
    ] {
        let (short, long) = (cost(part, LENGTH), cost(part, 16 * LENGTH));
        // Sixteen times where it is linear, and 256 times where it is quadratic.
        assert!(long < 64 * short.max(5_000_000), "{part:?}: {short} ns and {long} ns");
    }
}

/// Text made of what the scanners look for.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = SECRETS.map(|line| read(line).0);
    let part = prop_oneof![
        prop::sample::select(pieces.to_vec()),
        prop::sample::select(INNOCENT.to_vec()).prop_map(str::to_owned),
        "[-a-zA-Z0-9_.:=@/\"'\\\\ ,;&<>\\[\\]{}()\n]{1,8}",
        "\\PC{1,6}",
        any::<char>().prop_map(String::from),
        prop::sample::select(vec!["password", "token=", ": ", "=\"", "'", "@h", "://", "ghp_", "Bearer "])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_masked_has_nothing_left_to_mask(text in hostile()) {
        let once = masked(&text).into_owned();
        prop_assert_eq!(masked(&once), &once[..]);
    }

    #[test]
    fn a_value_behind_its_name_is_masked_wherever_it_stands(
        before in "[a-z \n]{0,20}", secret in "[a-zA-Z0-9!#$%*+/?^_~-]{8,40}", after in "( [a-z ]{0,20})?",
    ) {
        let text = format!("{before} password={secret}{after}");
        prop_assert_eq!(masked(&text), format!("{before} password=***{after}"));
    }
}
