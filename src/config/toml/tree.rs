//! PURE. The tables of a document. They can be written in parts and in any order, so that what may be
//! added to which is a matter of how it came to be.

/// A document: tables and values, each behind the one that it stands in, so that whoever goes through
/// them in order meets a table before what is in it.
#[derive(Debug)]
pub struct Document {
    nodes: Vec<Node>,
    index: Vec<u32>,
}

/// A table or a value, and where it stands.
#[derive(Debug)]
pub struct Node {
    /// The table that it stands in; [`Document::NOWHERE`] for what is in an array, and for the root.
    pub table: usize,
    /// Its key there.
    pub key: String,
    /// Line of its key, where that is first written.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// A value.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, its escapes taken back.
    Text(String),
    /// An integer, in decimal digits.
    Integer(String),
    /// A boolean.
    Boolean(bool),
    /// A float.
    Float,
    /// A date, a time, or both.
    Time,
    /// An array.
    Array(Vec<Element>),
    /// A table.
    Table(Table),
    /// An array of tables; this is the last of them.
    Tables(usize),
}

/// One of an array.
#[derive(Debug, PartialEq, Eq)]
pub struct Element {
    /// Where it stands.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// How a table came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// By a header of one in it, and may still have one of its own.
    Implied,
    /// By its header.
    Headed,
    /// By a key with dots.
    Dotted,
    /// Between braces.
    Inline,
}

impl Value {
    /// What it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::Float => "a float",
            Self::Time => "a date or time",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Tables(_) => "an array of tables",
        }
    }
}

impl Default for Document {
    fn default() -> Self {
        let root =
            Node { table: Self::NOWHERE, key: String::new(), line: 1, value: Value::Table(Table::Headed) };
        Self { nodes: vec![root], index: Vec::new() }
    }
}

impl Document {
    /// The table that everything stands in.
    pub const ROOT: usize = 0;
    /// No table.
    pub const NOWHERE: usize = usize::MAX;

    /// All tables and values, the root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The table of a header, made if need be.
    ///
    /// # Errors
    /// In words: it is there already, or what is there is no table.
    pub(super) fn open(&mut self, mut keys: Vec<String>, line: usize, many: bool) -> Result<usize, String> {
        let Some(last) = keys.pop() else { return Ok(Self::ROOT) };
        let mut table = Self::ROOT;
        for key in keys {
            table = match self.find(table, &key) {
                None => self.add(table, key, line, Value::Table(Table::Implied)),
                Some(found) => self.within(found)?,
            };
        }
        let Some(found) = self.find(table, &last) else {
            if !many {
                return Ok(self.add(table, last, line, Value::Table(Table::Headed)));
            }
            let tables = self.add(table, last, line, Value::Tables(0));
            return Ok(self.one_more(tables, line));
        };
        let value = &self.nodes[found].value;
        if many && matches!(value, Value::Tables(_)) {
            Ok(self.one_more(found, line))
        } else if !many && *value == Value::Table(Table::Implied) {
            self.fill(found, Value::Table(Table::Headed));
            Ok(found)
        } else {
            Err(self.taken(found))
        }
    }

    /// The table that a header goes on in.
    fn within(&self, found: usize) -> Result<usize, String> {
        match self.nodes[found].value {
            Value::Table(Table::Implied | Table::Headed | Table::Dotted) => Ok(found),
            Value::Tables(last) => Ok(last),
            Value::Table(Table::Inline)
            | Value::Text(_)
            | Value::Integer(_)
            | Value::Boolean(_)
            | Value::Float
            | Value::Time
            | Value::Array(_) => Err(self.taken(found)),
        }
    }

    /// One more table in an array of them.
    fn one_more(&mut self, tables: usize, line: usize) -> usize {
        let table = self.unnamed(line);
        self.fill(table, Value::Table(Table::Headed));
        self.fill(tables, Value::Tables(table));
        table
    }

    /// The place for the value of a key, which may have dots, in a table.
    ///
    /// # Errors
    /// In words: it is there already, or it would stand in what is complete.
    pub(super) fn place(
        &mut self,
        table: usize,
        mut keys: Vec<String>,
        line: usize,
    ) -> Result<usize, String> {
        let last = keys.pop().unwrap_or_default();
        let mut table = table;
        for key in keys {
            table = match self.find(table, &key) {
                None => self.add(table, key, line, Value::Table(Table::Dotted)),
                Some(found) if self.nodes[found].value == Value::Table(Table::Dotted) => found,
                Some(found) => return Err(self.taken(found)),
            };
        }
        match self.find(table, &last) {
            // Until it is filled, nothing can be added to it.
            None => Ok(self.add(table, last, line, Value::Float)),
            Some(found) => Err(self.taken(found)),
        }
    }

    /// A place that has no key.
    pub(super) fn unnamed(&mut self, line: usize) -> usize {
        self.nodes.push(Node { table: Self::NOWHERE, key: String::new(), line, value: Value::Float });
        self.nodes.len() - 1
    }

    /// Puts a value into its place.
    pub(super) fn fill(&mut self, place: usize, value: Value) {
        self.nodes[place].value = value;
    }

    fn taken(&self, found: usize) -> String {
        let Node { key, line, .. } = &self.nodes[found];
        format!("'{key}' stands in line {line} already; leave it out of one")
    }

    fn add(&mut self, table: usize, key: String, line: usize, value: Value) -> usize {
        let at = self.nodes.len();
        self.nodes.push(Node { table, key, line, value });
        if self.nodes.len() * 2 > self.index.len() {
            self.index = vec![0; self.nodes.len() * 4];
            for known in 1..self.nodes.len() {
                self.enter(known);
            }
        } else {
            self.enter(at);
        }
        at
    }

    /// Adds a node to the index.
    fn enter(&mut self, at: usize) {
        let Node { table, key, .. } = &self.nodes[at];
        if *table != Self::NOWHERE {
            let slot = self.slot(*table, key);
            self.index[slot] = u32::try_from(at).unwrap_or_default();
        }
    }

    fn find(&self, table: usize, key: &str) -> Option<usize> {
        if self.index.is_empty() {
            return None;
        }
        let at = self.index[self.slot(table, key)] as usize;
        (at != 0).then_some(at)
    }

    /// Where a key is in the index, or would be: one file may have thousands of sections, and to compare
    /// each with all others would take longer than many a job.
    fn slot(&self, table: usize, key: &str) -> usize {
        let mix = |hash: usize, byte: u8| (hash ^ usize::from(byte)).wrapping_mul(0x0100_0193);
        let hash = key.bytes().fold(table ^ 0x811c_9dc5, mix);
        let mut slot = hash % self.index.len();
        loop {
            let at = self.index[slot] as usize;
            // The root is in no table, so its number means an empty slot.
            if at == 0 || (self.nodes[at].table == table && self.nodes[at].key == key) {
                return slot;
            }
            slot = (slot + 1) % self.index.len();
        }
    }
}
