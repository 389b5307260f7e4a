//! Calls of every command of the table, valid and almost valid, made from the table's usage lines.
//!
//! Keys are few and named after the type they are meant to hold (`l0` is a list most of the time), so calls find
//! values of their type often and of another type sometimes. Values are few too, so that members, fields and
//! elements meet. What an input runs out of is zero, and zero is the simplest choice.

// The one error is that the input makes no case.
#![allow(clippy::missing_errors_doc)]

use arbitrary::{Arbitrary, Result, Unstructured};
use server::command::Registered;
use server::commands::COMMANDS;
use server::usage::{Argument, Kind};

/// One call: the name and the arguments.
pub type Call = Vec<Vec<u8>>;

/// Keys of each type.
const KEYS_OF_A_TYPE: usize = 3;

/// Letters that keys of a type begin with, by the group of COMMAND DOCS.
const POOLS: &[(&str, u8)] = &[
    ("string", b's'),
    ("list", b'l'),
    ("hash", b'h'),
    ("set", b'e'),
    ("sorted-set", b'z'),
    ("bitmap", b'b'),
    ("hyperloglog", b'p'),
    ("geo", b'g'),
];

/// Expiry in milliseconds that is over after a short wait; every other one is far from over, or past.
pub const SHORT_EXPIRY_MS: u64 = 120;

/// An instant in the year 2100, in unix seconds.
const FAR_UNIX_S: u64 = 4_102_444_800;

/// Every command that can be called: containers stand for their subcommands.
pub fn callable() -> impl Iterator<Item = &'static Registered> {
    COMMANDS
        .all()
        .iter()
        .filter(|command| command.children.is_empty() || command.arity == -1)
}

/// Every key that calls name.
pub fn keys() -> impl Iterator<Item = Vec<u8>> {
    let typed = POOLS
        .iter()
        .flat_map(|(_, letter)| (0..KEYS_OF_A_TYPE).map(move |n| key_of(*letter, n)));
    typed.chain(SORT_KEYS.iter().map(|key| key.to_vec()))
}

/// Keys that patterns of SORT lead to.
const SORT_KEYS: [&[u8]; 4] = [b"w_1", b"w_2", b"w_a", b"w_b"];

fn key_of(letter: u8, number: usize) -> Vec<u8> {
    vec![letter, b'0' + (number % KEYS_OF_A_TYPE) as u8]
}

/// A call of `command`: most of the time as its usage line says, now and then almost.
pub fn call(u: &mut Unstructured<'_>, command: &Registered) -> Result<Call> {
    if command.name.starts_with("command|getkeys") {
        return call_about_a_call(u, command);
    }
    let pool = POOLS
        .iter()
        .find(|(group, _)| *group == command.family.group);
    let mut writer = Writer {
        u,
        command,
        pool: pool.map(|(_, letter)| *letter),
        words: command
            .name
            .split('|')
            .map(|word| word.to_ascii_uppercase().into_bytes())
            .collect(),
        counted: None,
        bounds: Bounds::Rank,
        last_key: 0,
    };
    writer.bounds = writer.bounds_of_command()?;
    for argument in &command.arguments {
        writer.argument(argument)?;
    }
    if command.arguments.is_empty() && command.arity < 0 {
        for _ in 0..below(writer.u, 3)? {
            let word = writer.odd()?;
            writer.words.push(word);
        }
    }
    if chance(writer.u, 10)? {
        writer.spoil()?;
    }
    Ok(writer.words)
}

/// COMMAND GETKEYS takes a whole call.
fn call_about_a_call(u: &mut Unstructured<'_>, command: &Registered) -> Result<Call> {
    let others: Vec<_> = callable()
        .filter(|other| !other.name.starts_with("command"))
        .collect();
    let chosen = below(u, others.len())?;
    let about = call(u, others[chosen])?;
    let words = command.name.split('|');
    Ok(words
        .map(|word| word.to_ascii_uppercase().into_bytes())
        .chain(about)
        .collect())
}

/// True about once in `of` times; false where the input is over.
pub fn chance(u: &mut Unstructured<'_>, of: u8) -> Result<bool> {
    Ok(u8::arbitrary(u)? % of == of - 1)
}

/// A number below `count`; zero where the input is over.
pub fn below(u: &mut Unstructured<'_>, count: usize) -> Result<usize> {
    if count < 2 {
        return Ok(0);
    }
    u.int_in_range(0..=count - 1)
}

fn one_of(u: &mut Unstructured<'_>, pool: &[&str]) -> Result<Vec<u8>> {
    let at = below(u, pool.len())?;
    Ok(pool
        .get(at)
        .copied()
        .unwrap_or_default()
        .as_bytes()
        .to_vec())
}

/// What the ends of a range are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bounds {
    Rank,
    Score,
    Lex,
}

struct Writer<'u, 'b> {
    u: &'u mut Unstructured<'b>,
    command: &'u Registered,
    /// The letter of the keys this command is meant for; `None` for any.
    pool: Option<u8>,
    words: Call,
    /// A count that was written and tells how many times the next argument is repeated.
    counted: Option<usize>,
    bounds: Bounds,
    /// The number of the key written last: it decides what kind of values go in.
    last_key: usize,
}

impl Writer<'_, '_> {
    fn bounds_of_command(&mut self) -> Result<Bounds> {
        let name = self.command.command.name;
        Ok(if name.contains("LEX") {
            Bounds::Lex
        } else if name.contains("BYSCORE") || name == "ZCOUNT" {
            Bounds::Score
        } else if matches!(name, "ZRANGE" | "ZRANGESTORE") {
            [Bounds::Rank, Bounds::Score, Bounds::Lex][below(self.u, 3)?]
        } else {
            Bounds::Rank
        })
    }

    /// An argument with its token, as often as its line and chance have it.
    fn argument(&mut self, argument: &Argument) -> Result<()> {
        if argument.optional {
            let wanted = match argument.token.as_deref() {
                Some(token @ ("BYSCORE" | "BYLEX")) => self.wants(token)?,
                _ if is_choice_of_bounds(argument) && self.bounds != Bounds::Rank => true,
                _ => u8::arbitrary(self.u)? % 5 > 2,
            };
            if !wanted {
                return Ok(());
            }
        }
        let times = if argument.multiple { self.times()? } else { 1 };
        for turn in 0..times {
            if times > 20 {
                self.numbered(argument, turn)?;
            } else {
                self.once(argument)?;
            }
        }
        Ok(())
    }

    fn wants(&mut self, token: &str) -> Result<bool> {
        let fits = (token == "BYLEX") == (self.bounds == Bounds::Lex);
        Ok((fits && self.bounds != Bounds::Rank) != chance(self.u, 12)?)
    }

    /// How often a repeated argument stands: as announced, a few times, or often enough to outgrow a packed encoding.
    fn times(&mut self) -> Result<usize> {
        if let Some(count) = self.counted.take() {
            return Ok(count);
        }
        Ok(match u8::arbitrary(self.u)? {
            0..200 => 1 + below(self.u, 3)?,
            200..250 => 3 + below(self.u, 8)?,
            _ => 120 + below(self.u, 60)?,
        })
    }

    /// The `turn`th of many repetitions: each word another, without reading the input for it.
    fn numbered(&mut self, argument: &Argument, turn: usize) -> Result<()> {
        if argument.kind == Kind::Block {
            return argument
                .parts
                .iter()
                .try_for_each(|part| self.numbered(part, turn));
        }
        match argument.kind {
            Kind::String if self.last_key == 0 => self.words.push(turn.to_string().into_bytes()),
            Kind::String => self.words.push(format!("m{turn}").into_bytes()),
            Kind::Double if self.last_key == KEYS_OF_A_TYPE - 1 => self.words.push(b"0".to_vec()),
            Kind::Double | Kind::Integer => self.words.push((turn / 2).to_string().into_bytes()),
            _ => self.once(argument)?,
        }
        Ok(())
    }

    fn once(&mut self, argument: &Argument) -> Result<()> {
        if let Some(token) = &argument.token {
            let token = if chance(self.u, 8)? {
                token.to_ascii_lowercase()
            } else {
                token.clone()
            };
            self.words.push(token.into_bytes());
        }
        match argument.kind {
            Kind::PureToken => {}
            Kind::Block => {
                for part in &argument.parts {
                    self.argument(part)?;
                }
            }
            Kind::OneOf if is_choice_of_bounds(argument) => {
                let lex = (self.bounds == Bounds::Lex) != chance(self.u, 12)?;
                let token = if lex { "BYLEX" } else { "BYSCORE" };
                self.words.push(token.as_bytes().to_vec());
            }
            Kind::OneOf => {
                let chosen = below(self.u, argument.parts.len())?;
                if let Some(part) = argument.parts.get(chosen) {
                    self.argument(part)?;
                }
            }
            _ => {
                let word = self.value(argument)?;
                self.words.push(word);
            }
        }
        Ok(())
    }

    fn value(&mut self, argument: &Argument) -> Result<Vec<u8>> {
        if chance(self.u, 40)? {
            return self.odd();
        }
        match (argument.kind, argument.name.as_str()) {
            (Kind::Key, _) => self.key(),
            (_, "numkeys" | "numpatterns") => self.count_of_keys(),
            (_, "min" | "max" | "start" | "stop" | "end") => self.bound(),
            (Kind::Pattern, _) => self.pattern(),
            (Kind::UnixTime, name) => self.unix_time(name),
            (_, "seconds" | "milliseconds") => self.expiry(&argument.name),
            (_, "cursor") => one_of(self.u, &["0", "0", "0", "0", "1", "-1", "abc"]),
            (_, "timeout") => one_of(self.u, &["0", "1000", "0.0", "-1", "abc", "1e20", "nan"]),
            (_, "offset") => self.offset(),
            (_, "db" | "index1" | "index2") => one_of(self.u, &["0", "1", "0", "2", "16", "-1"]),
            (_, "increment" | "decrement") => self.increment(),
            (_, "value") if self.command.name == "setbit" => {
                one_of(self.u, &["1", "0", "1", "0", "2", "-1"])
            }
            (_, "encoding") => one_of(
                self.u,
                &[
                    "u8", "i8", "u1", "i5", "u16", "i64", "u63", "u64", "i65", "u0", "x8",
                ],
            ),
            (_, "bit") => one_of(self.u, &["1", "0", "1", "0", "2", "-1"]),
            (_, "longitude") => self.coordinate(180),
            (_, "latitude") => self.coordinate(85),
            (_, "radius" | "width" | "height") => {
                one_of(self.u, &["200", "1000", "0", "5000.5", "100000", "-1"])
            }
            (_, "weight") => one_of(self.u, &["1", "2", "-1", "0.5", "0", "inf", "1.5e300"]),
            (Kind::Double, _) => self.score(),
            (Kind::Integer, _) => self.integer(),
            (_, "type") => one_of(
                self.u,
                &["string", "list", "set", "zset", "hash", "stream", "nope"],
            ),
            (_, "channel" | "shardchannel") => one_of(self.u, &["news", "n.1", "other"]),
            (_, "command") => one_of(self.u, &["get", "mset", "zunionstore", "sort", "nope"]),
            _ => self.element(),
        }
    }

    fn key(&mut self) -> Result<Vec<u8>> {
        let number = below(self.u, KEYS_OF_A_TYPE)?;
        let letter = match self.pool {
            Some(letter) if !chance(self.u, 14)? => letter,
            _ => POOLS[below(self.u, POOLS.len())?].1,
        };
        if letter == b's' && chance(self.u, 6)? {
            return Ok(SORT_KEYS[below(self.u, SORT_KEYS.len())?].to_vec());
        }
        // Ranges of members are defined where all scores are equal; see `score`.
        let number = if self.bounds == Bounds::Lex && !chance(self.u, 4)? {
            KEYS_OF_A_TYPE - 1
        } else {
            number
        };
        // Unions take sets and sorted sets, bit commands any string.
        let letter = match letter {
            b'z' if self.command.name.contains("store") && chance(self.u, 4)? => b'e',
            b'b' if chance(self.u, 6)? => b's',
            _ => letter,
        };
        self.last_key = number;
        Ok(key_of(letter, number))
    }

    fn count_of_keys(&mut self) -> Result<Vec<u8>> {
        let count = 1 + below(self.u, 3)?;
        self.counted = Some(count);
        Ok(match u8::arbitrary(self.u)? {
            250.. => count + 1,
            245.. => 0,
            _ => count,
        }
        .to_string()
        .into_bytes())
    }

    fn bound(&mut self) -> Result<Vec<u8>> {
        match self.bounds {
            Bounds::Rank => self.integer(),
            Bounds::Score => match below(self.u, 4)? {
                0 => one_of(self.u, &["-inf", "+inf", "inf", "(-inf", "(inf"]),
                1 => {
                    let mut bound = b"(".to_vec();
                    bound.extend(self.score()?);
                    Ok(bound)
                }
                _ => self.score(),
            },
            Bounds::Lex => match below(self.u, 3)? {
                0 => one_of(self.u, &["-", "+", "-", "+", "a", "", "("]),
                side => {
                    let mut bound = if side == 1 {
                        b"[".to_vec()
                    } else {
                        b"(".to_vec()
                    };
                    bound.extend(self.element()?);
                    Ok(bound)
                }
            },
        }
    }

    fn pattern(&mut self) -> Result<Vec<u8>> {
        if self.command.command.name.starts_with("SORT") {
            return one_of(
                self.u,
                &["w_*", "#", "h0->*", "h1->a", "nosort", "s*", "w_*->", "*"],
            );
        }
        one_of(
            self.u,
            &[
                "*", "?", "*0", "[a-m]*", "[^a]*", "s?", "\\*", "a", "", "*1*", "m1?", "[", "h*",
                "n*",
            ],
        )
    }

    fn unix_time(&mut self, name: &str) -> Result<Vec<u8>> {
        let unit = if name.contains("milli") { 1000 } else { 1 };
        Ok(match below(self.u, 8)? {
            0..5 => ((FAR_UNIX_S + below(self.u, 100_000)? as u64) * unit).to_string(),
            5 => "1".into(),
            6 => "-1".into(),
            _ => "9223372036854775807".into(),
        }
        .into_bytes())
    }

    fn expiry(&mut self, name: &str) -> Result<Vec<u8>> {
        let far = 1_000 + below(self.u, 50_000)? as u64;
        Ok(match (below(self.u, 12)?, name) {
            (0..3, "milliseconds") => SHORT_EXPIRY_MS.to_string(),
            (0..8, "milliseconds") => (far * 1000).to_string(),
            (0..8, _) => far.to_string(),
            (8, _) => "0".into(),
            (9, _) => "-1".into(),
            (10, _) => "9223372036854775807".into(),
            _ => "9223372036854775".into(),
        }
        .into_bytes())
    }

    /// A place on Earth or, seldom, beyond the `most` degrees there are.
    fn coordinate(&mut self, most: usize) -> Result<Vec<u8>> {
        Ok(match below(self.u, 12)? {
            0..8 => format!("{}.{:04}", 10 + below(self.u, 6)?, below(self.u, 10_000)?),
            8 => format!("-{}.5", below(self.u, most)?),
            9 => "0".into(),
            10 => most.to_string(),
            _ => (most + 1).to_string(),
        }
        .into_bytes())
    }

    fn offset(&mut self) -> Result<Vec<u8>> {
        Ok(match below(self.u, 20)? {
            0..16 => below(self.u, 40)?.to_string(),
            16 => (100 + below(self.u, 3000)?).to_string(),
            17 => "#1".into(),
            18 => "4294967296".into(),
            _ => "-1".into(),
        }
        .into_bytes())
    }

    fn increment(&mut self) -> Result<Vec<u8>> {
        if self.command.name.contains("float") || self.command.name.starts_with('z') {
            return self.score();
        }
        self.integer()
    }

    fn integer(&mut self) -> Result<Vec<u8>> {
        Ok(match below(self.u, 24)? {
            0..12 => below(self.u, 6)?.to_string(),
            12..16 => format!("-{}", 1 + below(self.u, 5)?),
            16..20 => (5 + below(self.u, 200)?).to_string(),
            20 => "9223372036854775807".into(),
            21 => "-9223372036854775808".into(),
            22 => "2147483648".into(),
            _ => {
                return one_of(
                    self.u,
                    &[
                        "abc",
                        "1.5",
                        "",
                        " 1",
                        "01",
                        "+1",
                        "1e3",
                        "99999999999999999999",
                    ],
                );
            }
        }
        .into_bytes())
    }

    fn score(&mut self) -> Result<Vec<u8>> {
        let adds = matches!(self.command.name.as_str(), "zadd" | "zincrby");
        if adds && self.last_key == KEYS_OF_A_TYPE - 1 && !chance(self.u, 12)? {
            return Ok(b"0".to_vec());
        }
        Ok(match below(self.u, 24)? {
            0..10 => below(self.u, 5)?.to_string(),
            10..13 => format!("-{}", 1 + below(self.u, 5)?),
            13..16 => format!("{}.{}", below(self.u, 3)?, [5, 25, 75][below(self.u, 3)?]),
            16 => "0.1".into(),
            17 => "3.3e-7".into(),
            18 => "inf".into(),
            19 => "-inf".into(),
            20 => "1e17".into(),
            21 => "-0".into(),
            22 => "1.7976931348623157e308".into(),
            _ => {
                return one_of(
                    self.u,
                    &["nan", "abc", "", " 1", "0x10", "1e400", "1_0", "5e-324"],
                );
            }
        }
        .into_bytes())
    }

    /// A value, element, member or field; the key it goes to decides its kind, so that every encoding is met.
    fn element(&mut self) -> Result<Vec<u8>> {
        let kind = below(self.u, 16)?;
        Ok(match (self.last_key, kind) {
            (0, 0..13) | (_, 0..4) => return self.small_integer(),
            (2, 4..6) => vec![b'x'; 60 + below(self.u, 10)?],
            (2, 6) => vec![b'y'; 30 + below(self.u, 30)?],
            (_, 7) => format!("m{}", below(self.u, 20)?).into_bytes(),
            (_, 8) => vec![u8::arbitrary(self.u)?, 0, b'\r', b'\n', 255],
            (_, 9) => return self.score(),
            (_, 10) => Vec::new(),
            (_, 11) => {
                return one_of(
                    self.u,
                    &["Palermo", "Catania", "hello world", "ohmytext", "mynewtext"],
                );
            }
            _ => vec![b'a' + below(self.u, 5)? as u8],
        })
    }

    fn small_integer(&mut self) -> Result<Vec<u8>> {
        Ok(match below(self.u, 10)? {
            0..7 => below(self.u, 6)?.to_string(),
            7 => format!("-{}", 1 + below(self.u, 300)?),
            8 => below(self.u, 100_000)?.to_string(),
            _ => {
                return one_of(
                    self.u,
                    &[
                        "9223372036854775807",
                        "-9223372036854775808",
                        "10000000000",
                        "01",
                        "-0",
                    ],
                );
            }
        }
        .into_bytes())
    }

    /// A word that fits few places.
    fn odd(&mut self) -> Result<Vec<u8>> {
        let words = [
            "",
            "abc",
            "-1",
            "0",
            "9223372036854775808",
            "1.5",
            "nan",
            "*",
            "LIMIT",
            "COUNT",
            "NX",
            "get",
        ];
        one_of(self.u, &words)
    }

    /// Makes a call almost valid: a word too few, too many, doubled, moved or replaced.
    fn spoil(&mut self) -> Result<()> {
        let names = self.command.words;
        let behind = self.words.len() - names.min(self.words.len());
        let at = names + below(self.u, behind)?;
        match below(self.u, 6)? {
            0 => {
                let odd = self.odd()?;
                self.words.push(odd);
            }
            1 if behind > 0 => {
                self.words.pop();
            }
            2 if at < self.words.len() => {
                self.words.remove(at);
            }
            3 if at < self.words.len() => self.words[at] = self.odd()?,
            4 if at < self.words.len() => {
                let again = self.words[at].clone();
                self.words.insert(at, again);
            }
            _ => self.words[0].make_ascii_lowercase(),
        }
        Ok(())
    }
}

fn is_choice_of_bounds(argument: &Argument) -> bool {
    argument.kind == Kind::OneOf
        && argument
            .parts
            .iter()
            .any(|part| part.token.as_deref() == Some("BYLEX"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn every_command_is_called_by_its_name_and_mostly_with_the_right_number_of_words() {
        for command in callable() {
            let name = command.name.split('|').next().unwrap_or_default();
            let mut right = 0;
            for seed in 0..50 {
                let bytes = Random::new(seed).bytes(4096);
                let call = call(&mut Unstructured::new(&bytes), command).expect("bytes enough");
                assert!(call[0].eq_ignore_ascii_case(name.as_bytes()));
                right += usize::from(command.accepts(call.len()));
            }
            assert!(right > 25, "{}: {right} of 50", command.name);
        }
    }

    #[test]
    fn an_input_that_is_over_makes_the_simplest_call() {
        let set = COMMANDS.lookup(b"SET").expect("a command");
        let made = call(&mut Unstructured::new(&[]), set);
        assert_eq!(
            made,
            Ok(vec![b"SET".to_vec(), b"s0".to_vec(), b"0".to_vec()])
        );
    }
}
