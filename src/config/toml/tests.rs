//! The reader by tables, and against the reader that is used elsewhere.

use std::collections::BTreeMap;

use ::toml::de::{DeTable, DeValue};
use proptest::prelude::*;

use super::*;

/// A document as both readers see it. Of what no option takes, only the kind is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tree {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Array(Vec<Tree>),
    Table(BTreeMap<String, Tree>),
    Other(&'static str),
}

fn ours(text: &str) -> Result<Tree, Fault> {
    let document = read(text)?;
    let mut trees: Vec<Tree> = document.nodes().iter().map(|node| tree(&node.value)).collect();
    for (at, node) in document.nodes().iter().enumerate().rev() {
        let tree = std::mem::replace(&mut trees[at], Tree::Other("moved"));
        match trees.get_mut(node.table) {
            Some(Tree::Table(table)) => drop(table.insert(node.key.clone(), tree)),
            // In an array of tables.
            Some(_) => {}
            None => trees[at] = tree,
        }
    }
    Ok(trees.swap_remove(Document::ROOT))
}

fn tree(value: &Value) -> Tree {
    match value {
        Value::Text(text) => Tree::Text(text.clone()),
        Value::Integer(digits) => Tree::Integer(digits.parse().unwrap()),
        Value::Boolean(on) => Tree::Boolean(*on),
        Value::Array(elements) => {
            Tree::Array(elements.iter().map(|element| in_array(&element.value)).collect())
        }
        Value::Table(_) => Tree::Table(BTreeMap::new()),
        Value::Float | Value::Time | Value::Tables(_) => Tree::Other(value.kind()),
    }
}

fn in_array(value: &Value) -> Tree {
    if matches!(value, Value::Table(_)) { Tree::Other("a table") } else { tree(value) }
}

/// They look at the digits of a number only when it is asked for; by then it may be none.
fn theirs(text: &str) -> Option<Tree> {
    let table = DeTable::parse(text).ok()?;
    Some(their_table(table.get_ref())).filter(|tree| !format!("{tree:?}").contains(NO_NUMBER))
}

const NO_NUMBER: &str = "no number after all";

fn their_table(table: &DeTable<'_>) -> Tree {
    let pairs = table.iter();
    Tree::Table(pairs.map(|(key, value)| (key.get_ref().to_string(), their_tree(value.get_ref()))).collect())
}

fn their_tree(value: &DeValue<'_>) -> Tree {
    match value {
        DeValue::String(text) => Tree::Text(text.to_string()),
        DeValue::Integer(number) => {
            let (digits, radix) = (number.as_str(), number.radix());
            i64::from_str_radix(digits, radix).map_or(Tree::Other(NO_NUMBER), Tree::Integer)
        }
        DeValue::Boolean(on) => Tree::Boolean(*on),
        DeValue::Float(_) => Tree::Other("a float"),
        DeValue::Datetime(_) => Tree::Other("a date or time"),
        DeValue::Array(values) => {
            Tree::Array(values.iter().map(|value| their_tree_in_array(value.get_ref())).collect())
        }
        DeValue::Table(table) => their_table(table),
    }
}

fn their_tree_in_array(value: &DeValue<'_>) -> Tree {
    if matches!(value, DeValue::Table(_)) { Tree::Other("a table") } else { their_tree(value) }
}

/// A tree in which arrays of nothing but tables are alike: how they were written only we know.
fn comparable(tree: Tree) -> Tree {
    match tree {
        Tree::Table(table) => {
            Tree::Table(table.into_iter().map(|(key, tree)| (key, comparable(tree))).collect())
        }
        Tree::Array(trees)
            if !trees.is_empty() && trees.iter().all(|tree| *tree == Tree::Other("a table")) =>
        {
            Tree::Other("an array of tables")
        }
        Tree::Array(trees) => Tree::Array(trees.into_iter().map(comparable).collect()),
        // The end of a line within a string is ours to choose, and theirs is as it was written.
        Tree::Text(text) => Tree::Text(text.replace("\r\n", "\n")),
        other @ (Tree::Integer(_) | Tree::Boolean(_) | Tree::Other(_)) => other,
    }
}

fn assert_same(text: &str) {
    let (ours, theirs) = (ours(text), theirs(text));
    assert_eq!(ours.clone().ok().map(comparable), theirs.map(comparable), "{text:?} {ours:?}");
}

#[test]
fn documents_are_read_as_everybody_reads_them() {
    for text in [
        "",
        "\u{feff}a = 1",
        "# only a comment",
        "a = 1\n\n# x\r\n[b] # y\nc = 'd'\r\n",
        "a.b.'c d'.\"e\\tf\" = true\na.b.g = false\n",
        "a = { b = 1, c.d = 'x', e = { f = [] } }\nb = { }\nc = {\n a = 1, # x\n b = 2,\n}",
        "a = [1, 2, [3, 'x'],\n  # inside\n  4,\n]\nb = []\nc = [{}, { x = 1 }]",
        "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 1\n[[a.e]]\n",
        "[a.b.c]\nx = 1\n[a]\ny = 2\n[a.b]\nz = 3",
        "[a]\nb.c = 1\n[a.b.d]\ne = 1",
        "a = 0\nb = -0\nc = +1_000\nd = 0xDEAD_beef\ne = 0o755\nf = 0b11_01\ng = -9223372036854775808",
        "a = 1.5\nb = -0.1e+1_0\nc = 1e3\nd = inf\ne = -nan\nf = 1_0.0_1",
        "a = 1979-05-27\nb = 1979-05-27T07:32:00Z\nc = 1979-05-27 07:32:00.5-07:00\nd = 07:32:00\n",
        r#"a = "\b\t\n\f\r\e\"\\\u00e9\U0001F600\x41""#,
        "a = 'C:\\x\\'\nb = ''\nc = \"\"\n'' = 1",
        "a = \"\"\"\nx\\\n   \n  y\"z\"\"w\"\"\"\"\"\nb = '''\r\nit's\n''\n'''",
        "a = \"\"\"\"\"\"\nb = ''''''\nc = '''''x'''''",
        "bare-key_1 = 1\n1.2 = 3\n\"ʎǝʞ\" = 'ü'",
        "a = \"tab\there\"\n\tb = 1\t\n",
        "job.\"pg-*\".lock = true\n[job.x]\nlock = true",
    ] {
        assert_same(text);
        assert!(ours(text).is_ok(), "{text:?} {:?}", ours(text));
    }
}

#[test]
fn what_is_no_document_is_none_for_everybody() {
    for text in [
        "a",
        "a =",
        "a = \nb = 1",
        "= 1",
        "a == 1",
        "a = 1 b = 2",
        "a = 5m",
        "a = yes",
        "a = True",
        "a = /x",
        "a = \"x",
        "a = 'x\n'",
        "a = \"x\ny\"",
        "a = \"\"\"x",
        "a = '''x''",
        "a = \"\\q\"",
        "a = \"\\u12\"",
        "a = \"\\ud800\"",
        "a = \"\\u+123\"",
        "a = \"\\U00110000\"",
        "a = \"\u{1}\"",
        "a = \"\u{7f}\"",
        "a = 1 # \u{0}",
        "a = 1\rb = 2",
        "a = [1, 2",
        "a = [1 2]",
        "a = [,]",
        "a = [1,,2]",
        "a = { b = 1",
        "a = { b = 1 c = 2 }",
        "a = { b }",
        "a = {,}",
        "[a",
        "[a]]",
        "[[a]",
        "[ [a] ]",
        "[]",
        "[a.]",
        "[.a]",
        "[a] b = 1",
        "[a]\n[a]",
        "a = 1\na = 2",
        "a = 1\n'a' = 2",
        "a = 1\n[a]",
        "a = 1\na.b = 2",
        "a = {}\na.b = 1",
        "a = { b = {} }\n[a.c]",
        "a = []\n[[a]]",
        "[a.b]\nc = 1\n[a]\nb.d = 1",
        "[a]\nb.c = 1\n[a.b]",
        "[[a]]\n[a]",
        "[a]\n[[a]]",
        "[a.b]\n[[a]]",
        "a = 01",
        "a = 1__0",
        "a = _1",
        "a = 1_",
        "a = 1.",
        "a = .5",
        "a = 1e",
        "a = 0x",
        "a = -0x1",
        "a = 0xg",
        "a = +-1",
        "a b = 1",
        "é = 1",
        "\"\"\"a\"\"\" = 1",
        "a.b. = 1",
        "a = { b = 1, b = 2 }",
        "a = { b.c = 1, b = 2 }",
    ] {
        assert_same(text);
        assert!(ours(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_fault_says_where_it_is_and_what_would_be_right() {
    for (text, line, what) in [
        ("a = 1\n\nb = 5m", 3, "'5m' is no value; write text in quotes"),
        ("a = \n", 1, "a value is missing"),
        ("a = 1\na = 2", 2, "'a' stands in line 1 already; leave it out of one"),
        ("[x]\n[y]\n[x]", 3, "'x' stands in line 1 already; leave it out of one"),
        ("a 1", 1, "a '=' is missing behind 'a'"),
        ("a.b", 1, "a '=' is missing behind 'a.b'"),
        ("[job.\"a\"", 1, "a ']' is missing behind 'job.a'"),
        ("[job.a*]", 1, "a ']' is missing behind 'job.a'"),
        ("[*]", 1, "'*' is no key; write it in quotes"),
        ("[", 1, "a key is missing"),
        (
            "a = 'x\nb = 1",
            1,
            "a string is not closed; write its last quote, or three quotes on either side of lines",
        ),
        (
            "a = \"\"\"x\ny\n",
            1,
            "a string is not closed; write its last quote, or three quotes on either side of lines",
        ),
        (
            "a = \"C:\\x\\q\"",
            1,
            "'\\x\\q' is no escape; write a backslash as '\\\\', or the text in single quotes",
        ),
        ("\na = \"\u{1b}\"", 2, "a control character stands in a string; write it as '\\u001b'"),
        ("a = [1,\n2,\n", 1, "a list is not closed; write a ',' between its values and ']' behind the last"),
        ("a = [1\n2]", 2, "a list is not closed; write a ',' between its values and ']' behind the last"),
        ("a = 1 x\n", 1, "'x' stands behind the end; write one value on a line"),
        ("a = 1\r\nb = c d", 2, "'c' is no value; write text in quotes"),
    ] {
        assert_eq!(read(text).unwrap_err(), Fault { line, what: what.to_owned() }, "{text:?}");
    }
}

#[test]
fn lines_are_those_of_keys_and_of_elements() {
    let document = read("\n[a]\nb = [\n  'x',\n\n  'y']\n'c' = \"\"\"\n\n\"\"\"\nd.e = 1").unwrap();
    let lines: Vec<_> = document.nodes().iter().map(|node| (node.key.as_str(), node.line)).collect();
    // Elements have places, too.
    assert_eq!(lines, [("", 1), ("a", 2), ("b", 3), ("", 4), ("", 6), ("c", 7), ("d", 10), ("e", 10)]);
    let Value::Array(elements) = &document.nodes()[2].value else { panic!("an array") };
    assert_eq!(elements.iter().map(|element| element.line).collect::<Vec<_>>(), [4, 6]);
}

/// The stack has an end, and so has the patience of a job.
#[test]
fn what_is_deep_or_long_is_read_or_refused_in_time() {
    let too_deep = "arrays and tables stand too deep in each other";
    assert_eq!(read(&format!("a = {}", "[".repeat(1_000_000))).unwrap_err().what, too_deep);
    assert_eq!(read(&format!("a = {}", "{a=".repeat(300_000))).unwrap_err().what, too_deep);
    assert!(read(&format!("a = {}1{}", "[".repeat(30), "]".repeat(30))).is_ok());
    let began = std::time::Instant::now();
    let sections: String = (0..60_000).map(|number| format!("[job.j{number}]\n")).collect();
    assert_eq!(read(&sections).unwrap().nodes().len(), 60_002);
    assert!(read(&format!("{}a = 1", "a.".repeat(500_000))).is_ok());
    // Each compared with each would be minutes.
    assert!(began.elapsed().as_secs() < 20);
}

/// Pieces that documents are made of, where it gets difficult.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "b",
        "job",
        "a.b",
        "'a'",
        "\"a\"",
        "=",
        " = ",
        ".",
        ",",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "#x",
        "'",
        "\"",
        "'''",
        "\"\"\"",
        "\\",
        "\\n",
        "\\u0041",
        "1",
        "-1",
        "0x1f",
        "1.5",
        "true",
        "x y",
        "é",
        "[a]\n",
        "[a.b]\n",
        "[[a]]\n",
        "a = 1\n",
        "b = 'x'\n",
        "a.b = [1, 'x']\n",
        "c = { a = 1 }\n",
        "\u{0}",
        "_",
        "+",
        "e",
        "inf",
    ];
    proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}

/// Dates are told by their first digits.
fn is_read_loosely(text: &str) -> bool {
    let digits = |window: &[u8]| window[..2].iter().all(u8::is_ascii_digit) && b"-:".contains(&window[2]);
    text.as_bytes().windows(3).any(digits)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_are_the_same_document_or_none(pieces in proptest::collection::vec(piece(), 0..14)) {
        let text = pieces.concat();
        prop_assume!(!is_read_loosely(&text));
        assert_same(&text);
    }

    #[test]
    fn lines_of_keys_and_values_are_the_same_document(
        lines in proptest::collection::vec((piece(), proptest::sample::select(vec![" = ", " ="]), piece()), 0..6),
    ) {
        let text: String = lines.iter().map(|(key, equals, value)| format!("{key}{equals}{value}\n")).collect();
        prop_assume!(!is_read_loosely(&text));
        assert_same(&text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        if let Err(fault) = read(&text) {
            prop_assert!((1..=1 + text.matches('\n').count()).contains(&fault.line));
        }
    }

    #[test]
    fn any_text_in_a_string_is_that_text(text in "(?s).{0,30}") {
        let escaped: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let document = read(&format!("a = \"{escaped}\"")).unwrap();
        prop_assert_eq!(&document.nodes()[1].value, &Value::Text(text));
    }
}
