//! PURE. Values as people read them.

use std::time::Duration;

/// A span of time with two or three significant digits: `3.2 ms`, `1.53 s`, `31m 40s`, `2d 4h`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    let whole = span.as_secs();
    match whole {
        0 if seconds < 0.9995 => format!("{:.*} ms", usize::from(seconds < 0.01), seconds * 1e3),
        0..=59 => format!("{seconds:.*} s", if seconds < 9.995 { 2 } else { 1 }),
        60..=3599 => format!("{}m {:02}s", whole / 60, whole % 60),
        3600..=86_399 => format!("{}h {:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d {:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

/// A size in bytes with one decimal, in powers of 1000: `812 B`, `4.4 GB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short_and_change_their_unit_where_people_do() {
        for (millis, shown) in [
            (3, "3.0 ms"),
            (250, "250 ms"),
            (1_530, "1.53 s"),
            (12_340, "12.3 s"),
            (59_949, "59.9 s"),
            (1_900_123, "31m 40s"),
            (7_500_000, "2h 05m"),
            (187_200_000, "2d 04h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), shown);
        }
        assert_eq!(span(Duration::from_micros(999_900)), "1.00 s");
    }

    #[test]
    fn sizes_have_one_decimal_and_the_next_unit_in_time() {
        for (size, shown) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_990, "1.0 MB"), (4_402_341_478, "4.4 GB")]
        {
            assert_eq!(bytes(size), shown);
        }
    }
}
