//! PURE. Which trace a run is in: W3C Trace Context (www.w3.org/TR/trace-context) in the variables that
//! OpenTelemetry has named for it (opentelemetry.io/docs/specs/otel/context/env-carriers). Nothing is drawn and nothing
//! is stored: a run's place in a trace follows from its id, and from what its caller has set.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::job::RunId;

/// Length of `00-TRACE-SPAN-FLAGS`, in bytes (section 3.2.2).
const LENGTH: usize = 55;

/// Longest list of vendors' own state that is handed on to a collector, in bytes: what everybody has to be able to
/// take (section 3.3.1.5).
const STATE_MAX: usize = 512;

/// The flag that says that somebody wants to see the trace.
const SAMPLED: u8 = 1;

/// The span in which this process was started, of a caller that may be on another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    trace: String,
    span: String,
    is_sampled: bool,
    state: Option<String>,
}

impl Parent {
    /// What `TRACEPARENT` and `TRACESTATE` say among these `NAME=VALUE` words; `None` if the former is absent or
    /// means nothing.
    pub fn of(environment: &[OsString]) -> Option<Self> {
        let value = |name: &str| {
            let mut words =
                environment.iter().filter_map(|word| word.as_bytes().strip_prefix(name.as_bytes()));
            words.next().and_then(|value| std::str::from_utf8(value).ok())
        };
        let mut parent = Self::parse(value("TRACEPARENT=")?)?;
        let plain = |state: &&str| {
            (1..=STATE_MAX).contains(&state.len())
                && state.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        };
        parent.state = value("TRACESTATE=").filter(plain).map(str::to_owned);
        Some(parent)
    }

    /// Reads `VERSION-TRACE-SPAN-FLAGS`. Of a version that is not known yet the first four fields are as they are
    /// now, and of the flags only one (section 4.3); ids of nothing but zeros are invalid.
    fn parse(text: &str) -> Option<Self> {
        let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let known = text.get(..LENGTH)?;
        let fields: Vec<&str> = known.split('-').collect();
        let &[version, trace, span, flags] = &fields[..] else { return None };
        let lengths = [version.len(), trace.len(), span.len(), flags.len()];
        let rest = &text[LENGTH..];
        let ends = rest.is_empty() || (version != "00" && rest.starts_with('-'));
        let is_id = |id: &str| is_hex(id) && id.bytes().any(|byte| byte != b'0');
        let is_read = lengths == [2, 32, 16, 2] && is_hex(version) && version != "ff" && ends;
        if !is_read || !is_id(trace) || !is_id(span) || !is_hex(flags) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let is_sampled = flags & SAMPLED != 0;
        Some(Self { trace: trace.to_owned(), span: span.to_owned(), is_sampled, state: None })
    }
}

/// The place of a run in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The trace, 32 hexadecimal digits.
    pub trace: String,
    /// The run's span, 16 hexadecimal digits.
    pub span: String,
    /// The caller's span.
    pub parent: Option<String>,
    /// What vendors have written into `TRACESTATE`.
    pub state: Option<String>,
    /// Whether somebody wants to see the trace.
    pub is_sampled: bool,
}

impl Place {
    /// The place of a run below this parent. Its span is the half of its id that is random, and never zero, since
    /// there is the variant in it (RFC 9562 section 4.1); without a parent all of its id is the trace.
    pub fn of(run: RunId, parent: Option<&Parent>) -> Self {
        let id = run.uuid();
        Self {
            trace: parent.map_or_else(|| format!("{:032x}", id.as_u128()), |parent| parent.trace.clone()),
            span: format!("{:016x}", id.as_u64_pair().1),
            parent: parent.map(|parent| parent.span.clone()),
            state: parent.and_then(|parent| parent.state.clone()),
            is_sampled: parent.is_none_or(|parent| parent.is_sampled),
        }
    }

    /// The flags. All others are to be zero for as long as nobody has given them a meaning (section 3.2.2.5.2).
    pub fn flags(&self) -> u8 {
        if self.is_sampled { SAMPLED } else { 0 }
    }

    /// What the command is to find in `TRACEPARENT`.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, self.flags())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::job::RunId;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn parent(words: &[&str]) -> Option<Parent> {
        Parent::of(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn run() -> RunId {
        RunId::parse("01976f5e-8c00-7abc-8def-0123456789ab").unwrap()
    }

    #[test]
    fn a_parent_is_read_by_the_rules_of_its_version() {
        let (upper_trace, upper_span) = (TRACE.to_uppercase(), SPAN.to_uppercase());
        for (text, sampled) in [
            (format!("00-{TRACE}-{SPAN}-01"), Some(true)),
            (format!("00-{TRACE}-{SPAN}-00"), Some(false)),
            (format!("00-{TRACE}-{SPAN}-03"), Some(true)),
            (format!("00-{TRACE}-{SPAN}-fe"), Some(false)),
            // Of a version to come: what follows the flags is its own affair.
            (format!("01-{TRACE}-{SPAN}-01"), Some(true)),
            (format!("cc-{TRACE}-{SPAN}-09-what the future will be like"), Some(true)),
            (format!("fe-{TRACE}-{SPAN}-02-"), Some(false)),
            (format!("cc-{TRACE}-{SPAN}-01.what"), None),
            (format!("cc-{TRACE}-{SPAN}-0123"), None),
            (format!("cc-{TRACE}-{SPAN}"), None),
            (format!("ff-{TRACE}-{SPAN}-01"), None),
            (format!("00-{TRACE}-{SPAN}-01-"), None),
            (format!("00-{TRACE}-{SPAN}-01 "), None),
            (format!(" 00-{TRACE}-{SPAN}-01"), None),
            (format!("00-{TRACE}-{SPAN}-1"), None),
            (format!("00-{TRACE}-{SPAN}-0g"), None),
            (format!("00-{TRACE}-{SPAN}-+1"), None),
            (format!("0g-{TRACE}-{SPAN}-01"), None),
            (format!("0A-{TRACE}-{SPAN}-01"), None),
            (format!("00-{upper_trace}-{SPAN}-01"), None),
            (format!("00-{TRACE}-{upper_span}-01"), None),
            (format!("00-{}-{SPAN}-01", "0".repeat(32)), None),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), None),
            (format!("00-{}-{SPAN}-01", &TRACE[1..]), None),
            (format!("00-{SPAN}-{TRACE}-01"), None),
            (format!("00_{TRACE}_{SPAN}_01"), None),
            (format!("00-{TRACE}-{SPAN}-01{}", "é".repeat(9)), None),
            (format!("00-{}-{SPAN}-01", "é".repeat(16)), None),
            (String::new(), None),
            ("00".into(), None),
        ] {
            let found = parent(&[&format!("TRACEPARENT={text}")]);
            assert_eq!(found.as_ref().map(|parent| parent.is_sampled), sampled, "{text}");
            if let Some(Parent { trace, span, .. }) = found {
                assert_eq!((&trace[..], &span[..]), (TRACE, SPAN), "{text}");
            }
        }
    }

    #[test]
    fn the_first_of_two_variables_counts_and_state_without_a_parent_is_nothing() {
        let good = format!("TRACEPARENT=00-{TRACE}-{SPAN}-01");
        assert_eq!(parent(&["TRACEPARENT=x", &good]), None);
        assert_eq!(parent(&["TRACEPARENTS=x", "A=1", &good, "TRACEPARENT=x"]).unwrap().trace, TRACE);
        assert_eq!(parent(&["TRACESTATE=a=b"]), None);
        for (word, state) in [
            ("TRACESTATE=a=b, c=d", Some("a=b, c=d")),
            ("TRACESTATE=", None),
            ("TRACESTATE=a=\u{1b}[31m", None),
            ("TRACESTATE=a=é", None),
            (&format!("TRACESTATE=a={}", "x".repeat(511)), None),
        ] {
            assert_eq!(parent(&[word, &good]).unwrap().state.as_deref(), state, "{word}");
        }
    }

    #[test]
    fn a_run_is_below_its_parent_or_begins_a_trace_of_its_own() {
        let own = Place::of(run(), None);
        assert_eq!((&own.parent, own.is_sampled, &own.state), (&None, true, &None));
        assert_eq!(own.traceparent(), "00-01976f5e8c007abc8def0123456789ab-8def0123456789ab-01");
        for flags in ["00", "01"] {
            let word = format!("TRACEPARENT=00-{TRACE}-{SPAN}-{flags}");
            let parent = parent(&[&word, "TRACESTATE=a=b"]).unwrap();
            let below = Place::of(run(), Some(&parent));
            assert_eq!((below.parent.as_deref(), below.state.as_deref()), (Some(SPAN), Some("a=b")));
            assert_eq!(below.traceparent(), format!("00-{TRACE}-8def0123456789ab-{flags}"));
        }
    }

    proptest! {
        #[test]
        fn what_a_run_hands_on_is_read_as_itself(bytes in any::<[u8; 16]>(), text in "\\PC{0,80}") {
            let run = RunId::parse(&uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()).unwrap();
            // No text makes it panic.
            let above = Parent::parse(&text);
            let handed = Place::of(run, above.as_ref()).traceparent();
            let read = Parent::parse(&handed).unwrap();
            prop_assert_eq!(Place::of(run, Some(&read)).traceparent(), handed);
        }
    }
}
