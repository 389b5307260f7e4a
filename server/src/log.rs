//! The log: what is said through `tracing`, in the lines that Redis writes.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes events as lines `pid:M 20 Nov 2026 14:09:11.250 * text`, times in UTC, to a file or to standard output.
///
/// The mark before the text tells the level: `.` debug, `-` verbose, `*` notice, `#` warning. `tracing`'s levels are these
/// from `TRACE` on, with `ERROR` a warning too.
#[derive(Debug)]
pub struct Log {
    /// `None` for standard output.
    file: Option<PathBuf>,
    most: LogLevel,
}

/// The least severe level that is written, which can change while the server runs.
#[derive(Clone, Debug)]
pub struct LogLevel(Arc<AtomicU8>);

impl LogLevel {
    /// Puts a level of `loglevel` in force: `debug`, `verbose`, `notice`, `warning`, or `nothing`.
    pub fn set(&self, name: &str) {
        let verbosity = match name {
            "debug" => 4,
            "verbose" => 3,
            "warning" => 1,
            "nothing" => 0,
            _ => 2,
        };
        self.0.store(verbosity, Ordering::Relaxed);
    }
}

impl Log {
    /// A log into `file`, or to standard output where that is empty, with what changes its level.
    pub fn new(file: &str, level: &str) -> (Self, LogLevel) {
        let most = LogLevel(Arc::new(AtomicU8::new(0)));
        most.set(level);
        let log = Self {
            file: (!file.is_empty()).then(|| PathBuf::from(file)),
            most: most.clone(),
        };
        (log, most)
    }

    fn write(&self, line: &str) {
        // A log that can't be written is no reason to stop, and there is no other place to say so. The file is opened
        // each time, so that it can be renamed and a new one begins.
        let _ = match &self.file {
            None => std::io::stdout().lock().write_all(line.as_bytes()),
            Some(path) => OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(line.as_bytes())),
        };
    }
}

impl Subscriber for Log {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // Asked each time, because the level changes.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && verbosity(*metadata.level()) <= self.most.0.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let mark = match verbosity(*event.metadata().level()) {
            1 => '#',
            2 => '*',
            3 => '-',
            _ => '.',
        };
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut text = Text::default();
        event.record(&mut text);
        let time = time(since.as_millis() as i64);
        let Text { message, fields } = text;
        self.write(&format!(
            "{}:M {time} {mark} {message}{fields}\n",
            std::process::id()
        ));
    }

    // Spans are not written; any number will do for one.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn verbosity(level: Level) -> u8 {
    match level {
        Level::ERROR | Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}

/// The message of an event, and its fields as ` name=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        // What a peer sends may get into a message, but not end its line.
        let text = text.replace(['\r', '\n'], " ");
        if field.name() == "message" {
            self.message = text;
        } else {
            let _ = write!(self.fields, " {}={text}", field.name());
        }
    }
}

/// `20 Nov 2026 14:09:11.250` for milliseconds since 1970, in UTC.
fn time(unix_ms: i64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (days, ms) = (
        unix_ms.div_euclid(86_400_000),
        unix_ms.rem_euclid(86_400_000),
    );
    // Years begin in March here, so that the leap day is the last of its year; 400 of them have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + i64::from(month >= 10);
    let name = MONTHS
        .get(((month + 2) % 12) as usize)
        .copied()
        .unwrap_or_default();
    format!(
        "{day:02} {name} {year} {:02}:{:02}:{:02}.{:03}",
        ms / 3_600_000,
        ms / 60_000 % 60,
        ms / 1000 % 60,
        ms % 1000
    )
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (unix_ms, text) in [
            (0, "01 Jan 1970 00:00:00.000"),
            (951_782_400_000, "29 Feb 2000 00:00:00.000"),
            (1_709_251_199_999, "29 Feb 2024 23:59:59.999"),
            (1_709_251_200_000, "01 Mar 2024 00:00:00.000"),
            (4_107_542_400_123, "01 Mar 2100 00:00:00.123"),
            (1_735_689_599_000, "31 Dec 2024 23:59:59.000"),
        ] {
            assert_eq!(time(unix_ms), text);
        }
    }
}
