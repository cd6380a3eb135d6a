//! The fields of crontab(5), read into sets. Debian's cron (3.0pl1) is the judge: what it refuses is
//! refused here. It also drops whatever stands behind an element up to the next blank, so that to it
//! `5#2` is 5 and `1~9` is 1, and lets a range go down that then never comes, such as `fri-sun`.
//! Nobody who writes these means that, so they are refused too.

use crate::settings::nearest;

/// Which minutes of the wall clock are due. Bit n of a set stands for the value n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// 0 to 59.
    pub minutes: u64,
    /// 0 to 23.
    pub hours: u64,
    /// Days of the month, 1 to 31.
    pub days: u64,
    /// 1 to 12.
    pub months: u64,
    /// Days of the week, 0 (Sunday) to 6.
    pub weekdays: u64,
    /// The minute or the hour begins with `*`: the job goes by the wall clock, whatever happens to
    /// it. Else it has fixed times, and cron sees to it that none is missed or had twice.
    pub goes_by_clock: bool,
    /// One of the two day fields begins with `*`, as `*/2` does too: a day must match both. Else it
    /// is enough that it matches one.
    pub both_days: bool,
}

/// What one field allows.
struct Field {
    name: &'static str,
    low: u8,
    high: u8,
    /// Names of the values from `low` on.
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", low: 0, high: 59, names: &[] };
const HOUR: Field = Field { name: "hour", low: 0, high: 23, names: &[] };
const DAY: Field = Field { name: "day of month", low: 1, high: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// Sunday is 0 and 7.
const WEEKDAY: Field =
    Field { name: "day of week", low: 0, high: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// The words that stand for all five fields. `@reboot` is none of them: it has no time.
const WORDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Days of the longest January, February, and so on.
const LONGEST: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Fields {
    /// Reads five fields or one word. Blanks are spaces and tabs, as in a crontab.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
        match fields[..] {
            [] => Err("it is empty; write five fields, as '30 2 * * *'".to_owned()),
            [word] if word.starts_with('@') => Self::parse(of_word(word)?),
            [minute, hour, day, month, weekday] => Self::of_five(minute, hour, day, month, weekday),
            _ => Err(format!(
                "it has {}, not five; write minute, hour, day of month, month and day of week",
                if fields.len() == 1 { "one field".to_owned() } else { format!("{} fields", fields.len()) }
            )),
        }
    }

    fn of_five(minute: &str, hour: &str, day: &str, month: &str, weekday: &str) -> Result<Self, String> {
        let weekdays = WEEKDAY.read(weekday)?;
        let fields = Self {
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            weekdays: (weekdays | weekdays >> 7) & 0b111_1111,
            goes_by_clock: minute.starts_with('*') || hour.starts_with('*'),
            both_days: day.starts_with('*') || weekday.starts_with('*'),
        };
        let comes = |(month, days): (usize, &u32)| {
            fields.months & 2 << month != 0 && fields.days & ((2 << days) - 1) != 0
        };
        if fields.both_days && !LONGEST.iter().enumerate().any(comes) {
            return Err(format!("day '{day}' never comes in month '{month}'; write one that does"));
        }
        Ok(fields)
    }
}

/// The fields that a word stands for.
fn of_word(word: &str) -> Result<&'static str, String> {
    if word == "@reboot" {
        return Err("'@reboot' has no time; say how old the last success may be with '--max-age'".to_owned());
    }
    if let Some((_, fields)) = WORDS.iter().find(|(known, _)| *known == word) {
        return Ok(fields);
    }
    let known = || WORDS.iter().map(|(known, _)| *known);
    let hint = match nearest(word, known()) {
        Some(near) => format!("nearest is '{near}'"),
        None => format!("write one of {}", known().collect::<Vec<_>>().join(", ")),
    };
    Err(format!("'{word}' is no word of cron's; {hint}"))
}

impl Field {
    /// `element[,element]…`
    fn read(&self, text: &str) -> Result<u64, String> {
        text.split(',').try_fold(0, |set, element| {
            if element.is_empty() {
                return Err(format!("the list '{text}' has a gap; leave out the comma too much"));
            }
            Ok(set | self.element(element)?)
        })
    }

    /// `*`, `n` or `n-m`; `*/step` or `n-m/step`.
    fn element(&self, element: &str) -> Result<u64, String> {
        let (range, step) = match element.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (element, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.low, self.high),
            Some((first, last)) => (self.value(first, element)?, self.value(last, element)?),
            None => {
                let value = self.value(range, element)?;
                if let Some(step) = step {
                    let to = self.high;
                    return Err(format!(
                        "'{element}' has a step and no range; write '{range}-{to}/{step}' or '{range}'"
                    ));
                }
                (value, value)
            }
        };
        if first > last {
            let meant = self.around_the_end(first, last);
            return Err(format!("the range '{element}' goes down, so it never comes; write '{meant}'"));
        }
        let step = match step {
            None => 1,
            Some(digits) => number(digits).filter(|&step| step > 0).ok_or_else(|| {
                format!("'{digits}' in '{element}' is no step; write a number of 1 or more, as '*/5'")
            })?,
        };
        let values = (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        Ok(values.fold(0, |set, value| set | 1 << value))
    }

    /// A number or a name.
    fn value(&self, word: &str, element: &str) -> Result<u8, String> {
        let names = std::iter::zip(self.low.., self.names);
        let mut named = names.filter(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(value, _)| value);
        let in_bounds = |value: &u8| (self.low..=self.high).contains(value);
        let numbered = || number(word).and_then(|value| u8::try_from(value).ok()).filter(in_bounds);
        named.next().or_else(numbered).ok_or_else(|| {
            let Self { name, low, high, names } = self;
            match (element, names.get(1)) {
                ("?", _) => format!("'?' is no {name}; write '*' for any"),
                (_, None) => format!("'{element}' is no {name}; write {low} to {high}"),
                (_, Some(named)) => {
                    format!("'{element}' is no {name}; write {low} to {high}, or a name as '{named}'")
                }
            }
        })
    }

    /// What a range means that goes down: `22-3` is `22-23,0-3`, and `fri-sun` is `5-7`.
    fn around_the_end(&self, first: u8, last: u8) -> String {
        let range = |from: u8, to: u8| if from == to { from.to_string() } else { format!("{from}-{to}") };
        let end = range(first, self.high);
        // Sunday has been had by then.
        let low = self.low + u8::from(self.high == 7);
        if last < low { end } else { format!("{end},{}", range(low, last)) }
    }
}

/// Digits and nothing else.
fn number(word: &str) -> Option<u32> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}
