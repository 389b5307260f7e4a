//! Prints what the bytes on standard input are, one line for each frame or request.
//!
//! Usage: `inspect [--chunk N] [--requests]`
//!
//! `--chunk N` feeds the decoder N bytes at a time; `--requests` reads as a server would. Exits with 1 after
//! a protocol error, with 2 where the input ends inside a frame.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use resp::{Decoder, Error, Limits, RequestDecoder};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\nusage: inspect [--chunk N] [--requests]");
            return ExitCode::from(64);
        }
    };
    match inspect(&options) {
        Ok(code) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(74)
        }
    }
}

struct Options {
    chunk: usize,
    requests: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            chunk: 64 * 1024,
            requests: false,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--requests" => options.requests = true,
                "--chunk" => {
                    let size = arguments
                        .next()
                        .and_then(|size| size.parse().ok())
                        .filter(|size| *size > 0);
                    options.chunk = size.ok_or("--chunk takes a number of bytes above 0")?;
                }
                other => return Err(format!("unknown option {other}")),
            }
        }
        Ok(options)
    }
}

/// What is left to be said once the input has ended or gone wrong.
enum Outcome {
    Whole,
    Within(u64),
    Fault(Error),
}

fn inspect(options: &Options) -> io::Result<ExitCode> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    let outcome = if options.requests {
        requests(options, &mut output)?
    } else {
        frames(options, &mut output)?
    };
    let code = match outcome {
        Outcome::Whole => ExitCode::SUCCESS,
        Outcome::Within(offset) => {
            writeln!(output, "incomplete at byte {offset}")?;
            ExitCode::from(2)
        }
        Outcome::Fault(error) => {
            writeln!(
                output,
                "error at byte {}: {}",
                error.offset,
                error.server_text()
            )?;
            ExitCode::from(1)
        }
    };
    output.flush()?;
    Ok(code)
}

fn frames(options: &Options, output: &mut impl Write) -> io::Result<Outcome> {
    let mut decoder = Decoder::new(Limits::client());
    let outcome = feed(options.chunk, |buffer| {
        let frames = decoder.decode(buffer)?;
        for frame in frames {
            writeln!(output, "{frame}")?;
        }
        Ok(frames.consumed())
    })?;
    Ok(outcome)
}

fn requests(options: &Options, output: &mut impl Write) -> io::Result<Outcome> {
    let mut decoder = RequestDecoder::new(Limits::server());
    let outcome = feed(options.chunk, |buffer| {
        let requests = decoder.decode(buffer)?;
        for request in requests {
            writeln!(output, "request {request:?}")?;
        }
        Ok(requests.consumed())
    })?;
    Ok(outcome)
}

/// A fault of the input, or of the output.
enum Stop {
    Fault(Error),
    Io(io::Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads standard input to its end and gives `decode` what it has not consumed.
fn feed(chunk: usize, mut decode: impl FnMut(&[u8]) -> Result<usize, Stop>) -> io::Result<Outcome> {
    let mut input = io::stdin().lock();
    let mut buffer = Vec::new();
    let mut offset = 0;
    loop {
        let read = input.by_ref().take(chunk as u64).read_to_end(&mut buffer)?;
        loop {
            match decode(&buffer) {
                Ok(0) => break,
                Ok(consumed) => {
                    buffer.drain(..consumed);
                    offset += consumed as u64;
                }
                Err(Stop::Fault(error)) => return Ok(Outcome::Fault(error)),
                Err(Stop::Io(error)) => return Err(error),
            }
        }
        if read == 0 {
            return Ok(if buffer.is_empty() {
                Outcome::Whole
            } else {
                Outcome::Within(offset)
            });
        }
    }
}
