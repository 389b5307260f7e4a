//! The workloads: the floor, this crate, and the others.

use std::hint::black_box;

use resp::{Decoder, Encoder, Limits, Protocol, RequestDecoder};

use crate::contestants::{self, Input, Units};
use crate::measure::{Contestant, Workload};
use crate::{floor, inputs};

type Make = fn() -> Workload;

pub(crate) const WORKLOADS: &[(&str, Make)] = &[
    ("SET requests", requests),
    ("SET requests as frames", frames),
    ("SET requests as owned frames", owned),
    ("+OK replies", || replies("+OK\r\n", 2.0)),
    (":12345 replies", || replies(":12345\r\n", 2.0)),
    ("$16 replies", || {
        replies("$16\r\n0123456789abcdef\r\n", 2.0)
    }),
    ("array of 10,000", || {
        one_frame(inputs::array(10_000), false, 1.3)
    }),
    ("map of 1,000", || one_frame(inputs::map(1000), true, 1.7)),
    ("bulk of 1 KiB", || bulk(1 << 10)),
    ("bulk of 1 MiB", || bulk(1 << 20)),
    ("10 MB array in pieces", pieces),
    ("encode a SET request", encode_request),
    ("encode an array of 10,000", encode_array),
];

/// How the floor counts: by elements, of which each unit has so many, and so many stand around them.
fn scan(wire: &'static [u8], each: usize, around: usize) -> Contestant {
    Contestant::new("floor: scan", move || {
        (floor::scan(black_box(wire)).unwrap_or_default() - around) / each
    })
}

/// 64 KiB of SET requests.
fn set_requests() -> (Input, Workload) {
    let (wire, units) = inputs::set_requests();
    let input = Input {
        wire,
        units: Units::Frames(units),
        resp3: false,
    };
    let workload = Workload {
        unit: "request",
        units,
        contestants: vec![scan(wire, 4, 0)],
    };
    (input, workload)
}

fn requests() -> Workload {
    let (input, mut workload) = set_requests();
    let mut decoder = RequestDecoder::new(Limits::server());
    let mut walking = RequestDecoder::new(Limits::server());
    workload.contestants.extend([
        Contestant::new("resp RequestDecoder", move || {
            let requests = decoder.decode(black_box(input.wire)).expect("valid");
            seen(requests.iter())
        })
        .reach(1.5),
        Contestant::new("resp RequestDecoder, visiting arguments", move || {
            let requests = walking.decode(black_box(input.wire)).expect("valid");
            let mut count = 0;
            for request in &requests {
                request.iter().for_each(|argument| {
                    black_box(argument);
                });
                count += 1;
            }
            count
        }),
    ]);
    workload.contestants.extend(contestants::borrowing(input));
    workload
}

fn frames() -> Workload {
    let (input, mut workload) = set_requests();
    workload.contestants.push(borrowed(input.wire).reach(2.2));
    workload.contestants.extend(contestants::borrowing(input));
    workload
}

fn owned() -> Workload {
    let (input, mut workload) = set_requests();
    workload.contestants.push(shared(input.wire).reach(3.0));
    workload.contestants.extend(contestants::owning(input));
    workload
}

/// Puts each item where anybody could look at it, and counts them.
fn seen<T>(items: impl Iterator<Item = T>) -> usize {
    items.fold(0, |count, item| {
        black_box(&item);
        count + 1
    })
}

fn borrowed(wire: &'static [u8]) -> Contestant {
    let mut decoder = Decoder::new(Limits::client());
    Contestant::new("resp Decoder", move || {
        let frames = decoder.decode(black_box(wire)).expect("valid");
        seen(frames.iter())
    })
}

fn uniterated(wire: &'static [u8]) -> Contestant {
    let mut decoder = Decoder::new(Limits::client());
    Contestant::new("resp Decoder, not iterated", move || {
        decoder.decode(black_box(wire)).expect("valid").len()
    })
}

fn shared(wire: &'static [u8]) -> Contestant {
    let mut decoder = Decoder::new(Limits::client());
    Contestant::taking("resp Decoder, shared", wire, move |buffer| {
        let frames = decoder.decode_shared(black_box(buffer)).expect("valid");
        seen(frames)
    })
}

fn replies(element: &str, reach: f64) -> Workload {
    let (wire, units) = inputs::repeated(element);
    all(
        Input {
            wire,
            units: Units::Frames(units),
            resp3: false,
        },
        Workload {
            unit: "frame",
            units,
            contestants: vec![
                scan(wire, 1, 0),
                borrowed(wire).reach(reach),
                uniterated(wire),
                shared(wire),
            ],
        },
    )
}

fn bulk(bytes: usize) -> Workload {
    let wire = inputs::bulk(bytes);
    all(
        Input {
            wire,
            units: Units::Frames(1),
            resp3: false,
        },
        Workload {
            unit: "frame",
            units: 1,
            contestants: vec![scan(wire, 1, 0), borrowed(wire), shared(wire)],
        },
    )
}

/// One frame, its elements as units.
fn one_frame(wire: &'static [u8], resp3: bool, reach: f64) -> Workload {
    let mut decoder = Decoder::new(Limits::client());
    let mut sharing = Decoder::new(Limits::client());
    let elements = |frame: resp::FrameRef<'_>| match frame.value() {
        resp::Value::Array(items) => items.len(),
        resp::Value::Map(pairs) => 2 * pairs.len(),
        _ => 0,
    };
    all(
        Input {
            wire,
            units: Units::Elements,
            resp3,
        },
        Workload {
            unit: "element",
            units: floor::scan(wire).unwrap_or_default() - 1,
            contestants: vec![
                scan(wire, 1, 1),
                Contestant::new("resp Decoder", move || {
                    let frames = decoder.decode(black_box(wire)).expect("valid");
                    elements(black_box(frames.iter().next()).expect("a frame"))
                })
                .reach(reach),
                Contestant::taking("resp Decoder, shared", wire, move |buffer| {
                    let mut frames = sharing.decode_shared(black_box(buffer)).expect("valid");
                    elements(black_box(frames.next().expect("a frame")).as_ref())
                }),
            ],
        },
    )
}

fn all(input: Input, mut workload: Workload) -> Workload {
    workload.contestants.extend(contestants::borrowing(input));
    workload.contestants.extend(contestants::owning(input));
    workload
}

fn pieces() -> Workload {
    const COUNT: usize = 520_000;
    let wire = inputs::array(COUNT);
    let ours = |name, piece: usize| {
        let mut decoder = Decoder::new(Limits::client());
        Contestant::new(name, move || {
            let mut units = 0;
            contestants::pieces(wire, piece, |buffer| {
                let frames = decoder.decode(buffer).expect("valid");
                match frames.iter().next() {
                    Some(frame) => {
                        units = frame.as_items().map_or(0, |items| items.len());
                        true
                    }
                    None => false,
                }
            });
            units
        })
    };
    let mut all = vec![
        ours("resp Decoder, one piece", usize::MAX),
        ours("resp Decoder, 16 KiB", 16 << 10).reach(1.3),
        ours("resp Decoder, 160 bytes", 160).reach(1.3),
        Contestant::new("floor: scan, one piece", move || {
            floor::scan(black_box(wire)).unwrap_or_default() - 1
        }),
    ];
    for piece in [usize::MAX, 16 << 10, 160] {
        all.extend(contestants::piecewise(wire, COUNT, piece));
    }
    Workload {
        unit: "element",
        units: COUNT,
        contestants: all,
    }
}

/// Requests in one run: one alone is too short to be timed.
const BATCH: usize = 1000;

fn encode_request() -> Workload {
    const ARGUMENTS: [&str; 3] = ["SET", "key:123", "0123456789abcdef"];
    let elements = [
        "*3\r\n",
        "$3\r\nSET\r\n",
        "$7\r\nkey:123\r\n",
        "$16\r\n0123456789abcdef\r\n",
    ];
    let mut copied = Vec::new();
    let mut encoded = Vec::new();
    let mut all = vec![
        Contestant::new("floor: copy of each element", move || {
            for _ in 0..BATCH {
                copied.clear();
                for element in black_box(&elements) {
                    copied.extend_from_slice(element.as_bytes());
                }
                black_box(&copied);
            }
            BATCH
        }),
        Contestant::new("resp Encoder", move || {
            for _ in 0..BATCH {
                encoded.clear();
                Encoder::new(&mut encoded, Protocol::Resp2).request(black_box(&ARGUMENTS));
                black_box(&encoded);
            }
            BATCH
        })
        .reach(1.4),
    ];
    all.extend(contestants::encoding_requests(ARGUMENTS, BATCH));
    Workload {
        unit: "request",
        units: BATCH,
        contestants: all,
    }
}

fn encode_array() -> Workload {
    const COUNT: usize = 10_000;
    let texts = inputs::small_texts(COUNT);
    let others = contestants::encoding_arrays(&texts);
    let together = texts.clone();
    let mut elements: Vec<String> = texts
        .iter()
        .map(|text| format!("${}\r\n{text}\r\n", text.len()))
        .collect();
    elements.insert(0, format!("*{COUNT}\r\n"));
    let mut copied = Vec::new();
    let mut output = Vec::new();
    let mut all = vec![
        Contestant::new("floor: copy of each element", move || {
            copied.clear();
            for element in black_box(&elements) {
                copied.extend_from_slice(element.as_bytes());
            }
            black_box(&copied);
            elements.len() - 1
        }),
        Contestant::new("resp Encoder, one by one", move || {
            output.clear();
            let mut encoder = Encoder::new(&mut output, Protocol::Resp2);
            encoder.array(texts.len());
            for text in black_box(&texts) {
                encoder.bulk_string(text);
            }
            black_box(&output);
            texts.len()
        }),
        Contestant::new("resp Encoder", {
            let mut encoded = Vec::new();
            move || {
                encoded.clear();
                Encoder::new(&mut encoded, Protocol::Resp2).bulk_strings(black_box(&together));
                black_box(&encoded);
                together.len()
            }
        })
        .reach(1.4),
    ];
    all.extend(others);
    Workload {
        unit: "element",
        units: COUNT,
        contestants: all,
    }
}
