//! PURE. What a file says to one job: `[defaults]`, and over it the sections `[job."PATTERN"]` that fit
//! the label. Unknown names are reported wherever they stand, values only of the sections that fit.

use super::pattern;
use super::toml::{Document, Value};
use crate::settings::{Setting, TABLE, Takes, Variable, nearest};

/// The most values of a list that a section may have. More is a mistake, and to merge them takes time
/// that the job would wait.
const LIST_MAX: usize = 256;

/// How many problems of a file are named one by one.
const PROBLEMS_MAX: usize = 20;

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The sections that fit, the nearest first.
    pub sections: Vec<Vec<Entry>>,
    /// What is wrong: the line, or 0 for the file as a whole, and what in words.
    pub problems: Vec<(usize, String)>,
}

/// One value, as the text of its option.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose value it is.
    pub setting: Setting,
    /// Where it stands.
    pub line: usize,
    /// Its text; of a list, one element.
    pub text: String,
}

/// What a table of the document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Root,
    /// `job`, which is nothing but its tables.
    Job,
    /// A section that is for this job, by its place in the list of them; 0 is `[defaults]`.
    Fits(usize),
    /// A section for other jobs.
    Other,
    /// `tag` of a section that is for this job.
    Tags(usize),
    /// Nothing that is looked into.
    Ignored,
}

/// Reads the sections. Without a label, as for a subcommand, `[defaults]` alone fits.
pub fn read(document: &Document, label: Option<&str>) -> Said {
    let mut reader =
        Sections { roles: Vec::new(), sections: vec![Vec::new()], problems: Vec::new(), unnamed: 0, label };
    for node in document.nodes() {
        let role = match reader.roles.get(node.table) {
            None if reader.roles.is_empty() => Role::Root,
            None => Role::Ignored,
            Some(Role::Root) => reader.top(&node.key, node.line, &node.value),
            Some(Role::Job) => reader.pattern(&node.key, node.line, &node.value),
            Some(&Role::Fits(section)) => reader.option(&node.key, node.line, &node.value, Some(section)),
            Some(Role::Other) => reader.option(&node.key, node.line, &node.value, None),
            Some(&Role::Tags(section)) => reader.tag(&node.key, node.line, &node.value, section),
            Some(Role::Ignored) => Role::Ignored,
        };
        reader.roles.push(role);
    }
    let Sections { mut sections, mut problems, unnamed, .. } = reader;
    // Later patterns lie over earlier ones, and all of them over the defaults.
    sections.reverse();
    if unnamed > 0 {
        let all = problems.len() + unnamed;
        problems.push((0, format!("{all} problems, of which {PROBLEMS_MAX} are named")));
    }
    Said { sections, problems }
}

struct Sections<'l> {
    /// What every table is that has been met; those that are none are ignored.
    roles: Vec<Role>,
    sections: Vec<Vec<Entry>>,
    problems: Vec<(usize, String)>,
    /// How many problems there are besides.
    unnamed: usize,
    label: Option<&'l str>,
}

impl Sections<'_> {
    fn problem(&mut self, line: usize, what: &dyn Fn() -> String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push((line, what()));
        } else {
            self.unnamed += 1;
        }
    }

    /// A key of the whole file.
    fn top(&mut self, key: &str, line: usize, value: &Value) -> Role {
        const SECTIONS: &str = "sections are '[defaults]' and '[job.\"PATTERN\"]'";
        let is_table = matches!(value, Value::Table(_));
        match key {
            "defaults" if is_table => Role::Fits(0),
            "job" if is_table => Role::Job,
            "defaults" | "job" => {
                self.problem(line, &|| format!("'{key}' is {}; {SECTIONS}", value.kind()));
                Role::Ignored
            }
            _ if !is_table && Setting::of_long(key.as_bytes()).is_some() => {
                self.problem(line, &|| {
                    format!("'{key}' stands outside of a section; write '[defaults]' above it")
                });
                Role::Ignored
            }
            _ => {
                self.problem(line, &|| match nearest(key, ["defaults", "job"].into_iter()) {
                    Some(known) => format!("unknown section '{key}', nearest is '{known}'; {SECTIONS}"),
                    None => format!("unknown section '{key}'; {SECTIONS}"),
                });
                Role::Ignored
            }
        }
    }

    /// A key of `job`.
    fn pattern(&mut self, key: &str, line: usize, value: &Value) -> Role {
        if !matches!(value, Value::Table(_)) {
            self.problem(line, &|| {
                format!("'{key}' stands in no section; write '[job.\"PATTERN\"]' above it")
            });
            return Role::Ignored;
        }
        if let Some(why) = pattern::fault(key) {
            self.problem(line, &|| format!("bad pattern '{key}' of a section: {why}"));
            return Role::Other;
        }
        if !self.label.is_some_and(|label| pattern::fits(key, label)) {
            return Role::Other;
        }
        self.sections.push(Vec::new());
        Role::Fits(self.sections.len() - 1)
    }

    /// A key of a section; `section` if that is for this job.
    fn option(&mut self, key: &str, line: usize, value: &Value, section: Option<usize>) -> Role {
        let Some(setting) = Setting::of_long(key.as_bytes()).filter(|setting| has_a_place(*setting)) else {
            let is_table = matches!(value, Value::Table(_));
            self.problem(line, &|| match is_table {
                true => format!("unknown section '{key}'; write a pattern with a dot in quotes"),
                false => not_a_key(key),
            });
            return Role::Ignored;
        };
        let Some(section) = section else { return Role::Ignored };
        match (setting.row().takes, value) {
            (Takes::Nothing | Takes::Perhaps(_), Value::Boolean(on)) => {
                self.add(section, setting, line, if *on { "1" } else { "0" })
            }
            (Takes::Perhaps(_) | Takes::One(_) | Takes::Many(_), Value::Text(text)) => {
                self.add(section, setting, line, text)
            }
            (Takes::One("N" | "DUR" | "LIST" | "SPEC"), Value::Integer(digits)) => {
                self.add(section, setting, line, digits);
            }
            (Takes::Many(_), Value::Array(elements)) => {
                if elements.is_empty() && setting == Setting::Sink {
                    self.problem(line, &|| format!("'{key}' is empty; write '\"none\"' for nowhere"));
                }
                for element in elements {
                    if let Value::Text(text) = &element.value {
                        self.add(section, setting, element.line, text);
                    } else {
                        let kind = element.value.kind();
                        self.problem(element.line, &|| format!("{kind} stands in '{key}'; write strings"));
                    }
                }
            }
            (Takes::Many(_), Value::Table(_)) if setting == Setting::Tag => return Role::Tags(section),
            (takes, other) => {
                let right = match takes {
                    Takes::Nothing => "true or false",
                    Takes::Perhaps(_) => "true, false or a string",
                    Takes::One("N") => "a number",
                    Takes::One(_) => "a string",
                    Takes::Many(_) if setting == Setting::Tag => "a table, a string or an array of strings",
                    Takes::Many(_) => "a string or an array of strings",
                };
                self.problem(line, &|| format!("'{key}' is {}; write {right}", other.kind()));
            }
        }
        Role::Ignored
    }

    /// A key of `tag`.
    fn tag(&mut self, key: &str, line: usize, value: &Value, section: usize) -> Role {
        match value {
            _ if key.contains([':', '=']) => {
                self.problem(line, &|| format!("bad key '{key}' of a tag: it ends at the first ':' or '='"));
            }
            Value::Text(text) | Value::Integer(text) => {
                self.add(section, Setting::Tag, line, &format!("{key}:{text}"));
            }
            Value::Boolean(on) => self.add(section, Setting::Tag, line, &format!("{key}:{on}")),
            Value::Float | Value::Time | Value::Array(_) | Value::Table(_) | Value::Tables(_) => {
                self.problem(line, &|| format!("the tag '{key}' is {}; write a string", value.kind()));
            }
        }
        Role::Ignored
    }

    fn add(&mut self, section: usize, setting: Setting, line: usize, text: &str) {
        let long = setting.row().long;
        let entries = &mut self.sections[section];
        if text.contains('\0') {
            self.problem(line, &|| format!("'{long}' holds a NUL character; leave it out"));
        } else if entries.iter().filter(|entry| entry.setting == setting).count() >= LIST_MAX {
            self.problem(line, &|| format!("'{long}' has more than {LIST_MAX} values; the rest is left out"));
        } else {
            entries.push(Entry { setting, line, text: text.to_owned() });
        }
    }
}

/// Whether an option can stand in a file. The others say what is run, or which files are read.
fn has_a_place(setting: Setting) -> bool {
    use Setting::{Command, Config, DryRun, Label, NoConfig};
    ![Label, Command, Config, NoConfig, DryRun].contains(&setting)
}

fn not_a_key(key: &str) -> String {
    if let Some(setting) = Setting::of_long(key.as_bytes()) {
        let row = setting.row();
        let or_variable = match row.variable {
            Variable::None => String::new(),
            Variable::OfTheRun | Variable::OfTheHost => format!(" or set {}", row.variable_name()),
        };
        return format!("'{key}' cannot stand in a file; type '--{key}'{or_variable}");
    }
    match nearest(key, TABLE.iter().filter(|row| has_a_place(row.setting)).map(|row| row.long)) {
        Some(known) => format!("unknown key '{key}', nearest is '{known}'"),
        None => format!("unknown key '{key}'; keys are the long options of 'cronward --help'"),
    }
}

#[cfg(test)]
mod tests;
