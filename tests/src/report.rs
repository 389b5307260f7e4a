//! What a side-by-side run found, written down for people.

use std::fmt::Write as _;

use crate::commands::Call;
use crate::naive::Value;
use crate::notation::notation;
use crate::side_by_side::{Difference, Sequence, Step};

/// A sequence and its difference as a transcript would have them.
pub fn report(name: &str, sequence: &Sequence, difference: &Difference) -> String {
    let mut text = format!(
        "{}: {name}, RESP{}, {} thresholds",
        difference.command,
        sequence.protocol,
        if sequence.small_thresholds {
            "small"
        } else {
            "usual"
        }
    );
    for step in &sequence.steps {
        match step {
            Step::Wait => text.push_str("\nwait"),
            Step::Call { client, call } => {
                let client = ["", "B"][client % 2];
                _ = write!(text, "\n{client}> {}", line(call));
            }
        }
    }
    if difference.step == sequence.steps.len() {
        _ = write!(text, "\n> {}", line(&difference.call));
    }
    _ = write!(
        text,
        "\n-< {}\n+< {}",
        cut(&difference.real),
        cut(&difference.ours)
    );
    text
}

fn line(call: &Call) -> String {
    let plain = |word: &[u8]| {
        !word.is_empty()
            && word
                .iter()
                .all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte))
    };
    let words = call.iter().map(|word| {
        if plain(word) {
            String::from_utf8_lossy(word).into_owned()
        } else {
            notation(&Value::BulkString(word.clone()))
        }
    });
    cut(&words.collect::<Vec<_>>().join(" "))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(1_500) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}
