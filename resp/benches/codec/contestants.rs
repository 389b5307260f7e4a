//! Other codecs on the same bytes, each by the entry point that its documentation shows for the purpose.
//!
//! Borrowed frames point into the buffer. Owned ones hold copies or share the buffer's memory; freeing them is part
//! of their time.

use std::hint::black_box;
use std::io::Read;

use bytes::{Bytes, BytesMut};
use redis_protocol::{resp2, resp3};

use crate::hiredis;
use crate::measure::Contestant;

/// Bytes to read, and what is counted in them.
#[derive(Clone, Copy)]
pub(crate) struct Input {
    pub(crate) wire: &'static [u8],
    pub(crate) units: Units,
    /// Whether there is something in it that only RESP3 has.
    pub(crate) resp3: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Units {
    /// Frames, all of one length.
    Frames(usize),
    /// The elements of the one frame.
    Elements,
}

impl Input {
    fn count(self, elements: impl FnOnce() -> usize) -> usize {
        match self.units {
            Units::Frames(_) => 1,
            Units::Elements => elements(),
        }
    }
}

/// Those who leave the payloads where they are.
pub(crate) fn borrowing(input: Input) -> Vec<Contestant> {
    let mut all = Vec::new();
    if !input.resp3 {
        all.push(Contestant::new("redis-protocol RESP2 ranges", move || {
            frames(input.wire, |rest| {
                let (frame, len) = resp2::decode::decode_range(rest)
                    .expect("valid")
                    .expect("whole");
                let units = input.count(|| match black_box(&frame) {
                    resp2::types::RangeFrame::Array(items) => items.len(),
                    _ => 0,
                });
                black_box(&frame);
                (len, units)
            })
        }));
    }
    all.push(Contestant::new("redis-protocol RESP3 ranges", move || {
        frames(input.wire, |rest| {
            let (frame, len) = resp3::decode::complete::decode_range(rest)
                .expect("valid")
                .expect("whole");
            let units = input.count(|| match black_box(&frame) {
                resp3::types::RangeFrame::Array { data, .. } => data.len(),
                resp3::types::RangeFrame::Map { data, .. } => 2 * data.len(),
                _ => 0,
            });
            black_box(&frame);
            (len, units)
        })
    }));
    #[cfg(rustis)]
    all.push(rustis_tape(input));
    if !input.resp3 {
        all.extend(hiredis::contestant(
            "hiredis (C), no objects",
            input.wire,
            false,
            usize::MAX,
        ));
    }
    all
}

/// Those whose frames can outlive the buffer.
pub(crate) fn owning(input: Input) -> Vec<Contestant> {
    let mut all = Vec::new();
    if !input.resp3 {
        all.push(Contestant::new("redis-protocol RESP2 owned", move || {
            frames(input.wire, |rest| {
                let (frame, len) = resp2::decode::decode(rest).expect("valid").expect("whole");
                let units = input.count(|| match &frame {
                    resp2::types::OwnedFrame::Array(items) => items.len(),
                    _ => 0,
                });
                black_box(&frame);
                (len, units)
            })
        }));
        all.push(Contestant::taking(
            "redis-protocol RESP2 bytes",
            input.wire,
            move |buffer| {
                let mut units = 0;
                while let Some((frame, _, _)) =
                    resp2::decode::decode_bytes_mut(buffer).expect("valid")
                {
                    units += input.count(|| match &frame {
                        resp2::types::BytesFrame::Array(items) => items.len(),
                        _ => 0,
                    });
                    black_box(&frame);
                }
                units
            },
        ));
    }
    all.push(Contestant::new("redis-protocol RESP3 owned", move || {
        frames(input.wire, |rest| {
            let (frame, len) = resp3::decode::complete::decode(rest)
                .expect("valid")
                .expect("whole");
            let units = input.count(|| match &frame {
                resp3::types::OwnedFrame::Array { data, .. } => data.len(),
                resp3::types::OwnedFrame::Map { data, .. } => 2 * data.len(),
                _ => 0,
            });
            black_box(&frame);
            (len, units)
        })
    }));
    all.push(Contestant::taking(
        "redis-protocol RESP3 bytes",
        input.wire,
        move |buffer| {
            let mut units = 0;
            while let Some((frame, _, _)) =
                resp3::decode::complete::decode_bytes_mut(buffer).expect("valid")
            {
                units += input.count(|| match &frame {
                    resp3::types::BytesFrame::Array { data, .. } => data.len(),
                    resp3::types::BytesFrame::Map { data, .. } => 2 * data.len(),
                    _ => 0,
                });
                black_box(&frame);
            }
            units
        },
    ));
    all.push(redis(input));
    all.push(resp_rs(input));
    if !input.resp3 {
        all.extend(hiredis::contestant(
            "hiredis (C), objects",
            input.wire,
            true,
            usize::MAX,
        ));
    }
    all
}

/// Calls `one` with what is left, which returns the bytes it took and the units it found.
fn frames(wire: &[u8], one: impl Fn(&[u8]) -> (usize, usize)) -> usize {
    let (mut at, mut found) = (0, 0);
    while at < wire.len() {
        let (len, units) = one(black_box(&wire[at..]));
        at += len;
        found += units;
    }
    found
}

/// The parser reads from a stream, of which it asks no more than it needs.
fn redis(input: Input) -> Contestant {
    let mut parser = redis::Parser::new();
    Contestant::new("redis Value", move || {
        let mut stream = black_box(input.wire);
        let mut left = match input.units {
            Units::Frames(frames) => frames,
            Units::Elements => 1,
        };
        let mut units = 0;
        while left > 0 {
            let value = parser.parse_value(&mut stream).expect("valid");
            units += input.count(|| redis_len(&value));
            black_box(&value);
            left -= 1;
        }
        units
    })
}

fn redis_len(value: &redis::Value) -> usize {
    match value {
        redis::Value::Array(items) => items.len(),
        redis::Value::Map(pairs) => 2 * pairs.len(),
        _ => 0,
    }
}

fn resp_rs(input: Input) -> Contestant {
    Contestant::taking("resp-rs", input.wire, move |buffer| {
        let mut rest = black_box(buffer.split().freeze());
        let mut units = 0;
        while !rest.is_empty() {
            let (frame, after) = resp_rs::resp3::parse_frame(rest).expect("valid");
            units += input.count(|| match &frame {
                resp_rs::resp3::Frame::Array(Some(items)) => items.len(),
                resp_rs::resp3::Frame::Map(pairs) => 2 * pairs.len(),
                _ => 0,
            });
            black_box(&frame);
            rest = after;
        }
        units
    })
}

/// Its parser is private; what is here is its own instrument for measuring it. It doesn't tell where a frame ends or
/// what it holds, so it is told the frames' length.
#[cfg(rustis)]
fn rustis_tape(input: Input) -> Contestant {
    let mut tape = rustis::resp::bench_support::BenchTape::new();
    Contestant::new("rustis tape", move || {
        let (frames, units) = match input.units {
            Units::Frames(frames) => (frames, frames),
            Units::Elements => (1, crate::floor::scan(input.wire).unwrap_or_default() - 1),
        };
        for frame in black_box(input.wire).chunks_exact(input.wire.len() / frames) {
            rustis::resp::bench_support::bench_parse_only(frame, &mut tape);
        }
        units
    })
}

/// Those who can go on with one array where its last piece ended, and those who have to start again with each
/// piece.
pub(crate) fn piecewise(wire: &'static [u8], units: usize, piece: usize) -> Vec<Contestant> {
    let label = |of: &str| {
        let piece = match piece {
            usize::MAX => "one piece".to_owned(),
            16384 => "16 KiB".to_owned(),
            _ => format!("{piece} bytes"),
        };
        format!("{of}, {piece}")
    };
    let mut parser = redis::Parser::new();
    let mut all = vec![Contestant::new(label("redis Value"), move || {
        let mut stream = Pieces {
            rest: black_box(wire),
            piece,
        };
        redis_len(&black_box(parser.parse_value(&mut stream).expect("valid")))
    })];
    #[cfg(rustis)]
    all.push(Contestant::new(
        label("rustis tape, with copying in"),
        move || {
            rustis::resp::bench_support::bench_decode_stream_grow(black_box(wire), piece)
                .expect("valid");
            units
        },
    ));
    all.extend(hiredis::contestant(
        label("hiredis (C), no objects"),
        wire,
        false,
        piece,
    ));
    all.extend(hiredis::contestant(
        label("hiredis (C), objects"),
        wire,
        true,
        piece,
    ));
    // With pieces of 160 bytes these would take a hundred times as long: minutes.
    if piece >= 16 << 10 {
        let slow = piece < usize::MAX;
        all.push(
            Contestant::new(label("redis-protocol RESP2 ranges"), move || {
                pieces(wire, piece, |buffer| {
                    resp2::decode::decode_range(buffer)
                        .expect("valid")
                        .is_some()
                });
                units
            })
            .slow(slow),
        );
        all.push(
            Contestant::new(label("redis-protocol RESP3 ranges"), move || {
                pieces(wire, piece, |buffer| {
                    resp3::decode::complete::decode_range(buffer)
                        .expect("valid")
                        .is_some()
                });
                units
            })
            .slow(slow),
        );
        all.push(
            Contestant::new(label("resp-rs"), move || {
                let mut parser = resp_rs::resp3::Parser::new();
                for piece in wire.chunks(piece) {
                    parser.feed(Bytes::from_static(piece));
                    if black_box(parser.next_frame().expect("valid")).is_some() {
                        return units;
                    }
                }
                0
            })
            .slow(slow),
        );
    }
    all
}

/// Calls `whole` with more and more of `wire`, until it is whole.
pub(crate) fn pieces(wire: &[u8], piece: usize, mut whole: impl FnMut(&[u8]) -> bool) {
    let mut end = 0_usize;
    loop {
        end = wire.len().min(end.saturating_add(piece));
        if whole(black_box(&wire[..end])) {
            return;
        }
    }
}

/// A stream that gives so many bytes at once.
struct Pieces {
    rest: &'static [u8],
    piece: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = self.piece.min(buffer.len());
        self.rest.read(&mut buffer[..most])
    }
}

/// A request of these arguments, so many times.
pub(crate) fn encoding_requests(arguments: [&'static str; 3], times: usize) -> Vec<Contestant> {
    let mut copied = BytesMut::new();
    let mut packed = Vec::new();
    let frame = resp2::types::OwnedFrame::Array(bulks2(&arguments));
    vec![
        Contestant::new("redis-protocol RESP2, borrowed frame", move || {
            for _ in 0..times {
                copied.clear();
                let bulks = black_box(arguments)
                    .map(|text| resp2::types::BorrowedFrame::BulkString(text.as_bytes()));
                let frame = resp2::types::BorrowedFrame::Array(&bulks);
                resp2::encode::extend_encode_borrowed(&mut copied, &frame, false).expect("room");
                black_box(&copied);
            }
            times
        }),
        Contestant::new("redis-protocol RESP2, prebuilt frame", {
            let mut buffer = [0; 256];
            move || {
                for _ in 0..times {
                    resp2::encode::encode(&mut buffer, black_box(&frame), false).expect("room");
                    black_box(&buffer);
                }
                times
            }
        }),
        Contestant::new("redis Cmd", move || {
            for _ in 0..times {
                packed.clear();
                let mut command = redis::Cmd::new();
                for text in black_box(arguments) {
                    command.arg(text);
                }
                command.write_packed_command(&mut packed);
                black_box(&packed);
            }
            times
        }),
        Contestant::new("resp-rs", move || {
            for _ in 0..times {
                let bulks = black_box(arguments).map(|text| {
                    resp_rs::resp3::Frame::BulkString(Some(Bytes::from_static(text.as_bytes())))
                });
                let frame = resp_rs::resp3::Frame::Array(Some(bulks.to_vec()));
                black_box(resp_rs::resp3::frame_to_bytes(&frame));
            }
            times
        }),
    ]
}

fn bulks2(texts: &[impl AsRef<[u8]>]) -> Vec<resp2::types::OwnedFrame> {
    texts
        .iter()
        .map(|text| resp2::types::OwnedFrame::BulkString(text.as_ref().to_vec()))
        .collect()
}

/// An array of these texts.
pub(crate) fn encoding_arrays(texts: &[String]) -> Vec<Contestant> {
    let count = texts.len();
    let prebuilt2 = resp2::types::OwnedFrame::Array(bulks2(texts));
    let prebuilt3 = resp3::types::OwnedFrame::Array {
        data: texts
            .iter()
            .map(|text| resp3::types::OwnedFrame::BlobString {
                data: text.as_bytes().to_vec(),
                attributes: None,
            })
            .collect(),
        attributes: None,
    };
    let prebuilt = resp_rs::resp3::Frame::Array(Some(
        texts
            .iter()
            .map(|text| {
                resp_rs::resp3::Frame::BulkString(Some(Bytes::copy_from_slice(text.as_bytes())))
            })
            .collect(),
    ));
    let (mut buffer2, mut buffer3) = (vec![0; count * 32], vec![0; count * 32]);
    vec![
        Contestant::new("redis-protocol RESP2, prebuilt frame", move || {
            resp2::encode::encode(&mut buffer2, black_box(&prebuilt2), false).expect("room");
            count
        }),
        Contestant::new("redis-protocol RESP3, prebuilt frame", move || {
            resp3::encode::complete::encode(&mut buffer3, black_box(&prebuilt3), false)
                .expect("room");
            count
        }),
        Contestant::new("resp-rs, prebuilt frame", move || {
            black_box(resp_rs::resp3::frame_to_bytes(black_box(&prebuilt)));
            count
        }),
    ]
}
