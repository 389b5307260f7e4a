//! Transcripts: conversations of clients with a server, written down line by line.
//!
//! `tests/README.md` describes the format for those who write them.

use std::iter::Peekable;
use std::str::Bytes;
use std::time::Duration;

use crate::notation::Pattern;

/// One transcript file, read.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// Options that the server is started with (`@server NAME VALUE`).
    pub options: Vec<(String, String)>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One line that does something.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line number in the file, from 1.
    pub line: usize,
    /// The line as it stands.
    pub text: String,
    /// The oldest server version that is asked (`@version`): major and minor.
    pub since: Option<(u32, u32)>,
    /// The connection's name; empty for the main one.
    pub connection: String,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// `> SET k v`: sends a command.
    Send(Vec<Vec<u8>>),
    /// `>> "PING\r\n"`: sends these bytes as they are.
    SendRaw(Vec<u8>),
    /// `< +OK`: reads one reply and compares it; `<2` and `<3` count in that protocol only.
    Expect {
        /// The protocol version that the line is for, or both.
        protocol: Option<u8>,
        /// What must be read.
        reply: Reply,
    },
    /// `sleep 50ms`
    Sleep(Duration),
    /// `close A`: the client hangs up.
    Close,
}

/// What is read from a connection.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A reply or push.
    Value(Pattern),
    /// `$id`: an integer or text, which `$id` stands for in later commands.
    Capture(String),
    /// `nothing`: nothing arrives for a moment.
    Nothing,
    /// `closed`: the server hung up.
    Closed,
}

impl Transcript {
    /// Reads a file's text.
    ///
    /// # Errors
    ///
    /// The line's number and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut transcript = Self::default();
        let mut since = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() {
                since = None;
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let located = |fault: String| format!("line {}: {fault}", number + 1);
            if let Some(version) = line.strip_prefix("@version ") {
                since = Some(
                    parse_version(version).ok_or_else(|| located("expected MAJOR.MINOR".into()))?,
                );
            } else if let Some(option) = line.strip_prefix("@server ") {
                let (name, value) = option
                    .split_once(' ')
                    .ok_or_else(|| located("expected NAME VALUE".into()))?;
                transcript.options.push((name.into(), value.into()));
            } else {
                let (connection, action) = parse_step(line).map_err(located)?;
                transcript.steps.push(Step {
                    line: number + 1,
                    text: line.into(),
                    since,
                    connection,
                    action,
                });
            }
        }
        Ok(transcript)
    }
}

/// The commands that a transcript sends, each with its arguments, in order.
///
/// # Errors
///
/// As [`Transcript::parse`].
pub fn commands(text: &str) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let steps = Transcript::parse(text)?.steps;
    let sent = steps.into_iter().filter_map(|step| match step.action {
        Action::Send(arguments) => Some(arguments),
        _ => None,
    });
    Ok(sent.collect())
}

/// `7.2` or `7.2.4` as major and minor.
pub fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn parse_step(line: &str) -> Result<(String, Action), String> {
    if let Some(time) = line.strip_prefix("sleep ") {
        let millis = time
            .strip_suffix("ms")
            .and_then(|digits| digits.parse().ok())
            .ok_or("expected a time such as 50ms")?;
        return Ok((String::new(), Action::Sleep(Duration::from_millis(millis))));
    }
    if let Some(connection) = line.strip_prefix("close ") {
        return Ok((connection.trim().into(), Action::Close));
    }
    let name_length = line.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (connection, rest) = line.split_at(name_length);
    let action = if let Some(bytes) = rest.strip_prefix(">> ") {
        let mut pieces = split_arguments(bytes)?;
        match (pieces.pop(), pieces.is_empty()) {
            (Some(bytes), true) => Action::SendRaw(bytes),
            _ => return Err("expected one quoted string".into()),
        }
    } else if let Some(command) = rest.strip_prefix("> ") {
        let arguments = split_arguments(command)?;
        if arguments.is_empty() {
            return Err("expected a command".into());
        }
        Action::Send(arguments)
    } else {
        let (protocol, reply) = match (
            rest.strip_prefix("< "),
            rest.strip_prefix("<2 "),
            rest.strip_prefix("<3 "),
        ) {
            (Some(reply), _, _) => (None, reply),
            (_, Some(reply), _) => (Some(2), reply),
            (_, _, Some(reply)) => (Some(3), reply),
            _ => {
                return Err(format!(
                    "expected a command, a reply or a directive, found `{line}`"
                ));
            }
        };
        let reply = match reply {
            "nothing" => Reply::Nothing,
            "closed" => Reply::Closed,
            pattern => match pattern.strip_prefix('$') {
                Some(name) => Reply::Capture(name.into()),
                None => Reply::Value(Pattern::parse(pattern)?),
            },
        };
        Action::Expect { protocol, reply }
    };
    Ok((connection.into(), action))
}

/// Splits a command line into its arguments by redis-cli's quoting rules.
///
/// # Errors
///
/// Unbalanced quotes, or a quoted part that touches the next argument.
pub fn split_arguments(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut bytes = line.bytes().peekable();
    let mut arguments = Vec::new();
    loop {
        while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        if bytes.peek().is_none() {
            return Ok(arguments);
        }
        let mut argument = Vec::new();
        while let Some(byte) = bytes.next_if(|byte| !byte.is_ascii_whitespace()) {
            match byte {
                b'"' | b'\'' => {
                    read_quoted(&mut bytes, byte, &mut argument)?;
                    if bytes.peek().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                        return Err("a closing quote must be followed by a space".into());
                    }
                }
                _ => argument.push(byte),
            }
        }
        arguments.push(argument);
    }
}

fn read_quoted(
    bytes: &mut Peekable<Bytes<'_>>,
    quote: u8,
    argument: &mut Vec<u8>,
) -> Result<(), String> {
    loop {
        let byte = bytes.next().ok_or("unbalanced quotes")?;
        if byte == quote {
            return Ok(());
        }
        if byte != b'\\' {
            argument.push(byte);
            continue;
        }
        let escaped = bytes.next().ok_or("unbalanced quotes")?;
        if quote == b'\'' {
            if escaped != b'\'' {
                argument.push(b'\\');
            }
            argument.push(escaped);
            continue;
        }
        argument.push(match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'a' => 7,
            b'x' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = digit()
                    .zip(digit())
                    .ok_or("expected two hexadecimal digits after \\x")?;
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_by_redis_cli_rules() {
        let split = |line| split_arguments(line).map(|arguments| arguments.join(&b"|"[..]));
        assert_eq!(
            split(r#"  SET  k "a b\x00\n\"" "#),
            Ok(b"SET|k|a b\x00\n\"".to_vec())
        );
        assert_eq!(
            split(r#"'a\'b' he"llo" "" x"#),
            Ok(b"a'b|hello||x".to_vec())
        );
        assert!(split(r#""a"b"#).is_err());
        assert!(split("'a").is_err());
    }

    #[test]
    fn commands_are_listed_with_their_arguments() {
        let text = "# a comment\n> SET k \"v w\"\n< +OK\nA> GET k\nA< \"v w\"\n>> \"PING\\r\\n\"\n";
        let expected = [
            vec![b"SET".to_vec(), b"k".to_vec(), b"v w".to_vec()],
            vec![b"GET".to_vec(), b"k".to_vec()],
        ];
        assert_eq!(commands(text), Ok(expected.to_vec()));
    }

    #[test]
    fn a_version_holds_until_the_next_blank_line() {
        let transcript = Transcript::parse("@version 7.2\n> A\n< any\n\n> B\n").expect("legal");
        let since: Vec<_> = transcript.steps.iter().map(|step| step.since).collect();
        assert_eq!(since, [Some((7, 2)), Some((7, 2)), None]);
    }

    #[test]
    fn faults_name_their_line() {
        for text in [
            "\nSET k v",
            "\n> \"a",
            "\n< [",
            "\nsleep 5",
            "\n@version x",
            "\n>> a b",
            "\n<4 :1",
        ] {
            let fault = Transcript::parse(text).expect_err(text);
            assert!(fault.starts_with("line 2: "), "{text}: {fault}");
        }
    }
}
