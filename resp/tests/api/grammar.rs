//! The flat grammar: one element after another, without an allocator.

use nom::Parser;
use nom::branch::alt;
use nom::bytes::streaming::tag;
use resp::grammar::{Element, Fault, Parsed, element};
use resp::{ErrorKind, Limits};

fn elements(mut input: &[u8]) -> Vec<Element<'_>> {
    let mut elements = Vec::new();
    while !input.is_empty() {
        let (rest, element) = element(input, &Limits::client()).unwrap();
        elements.push(element);
        input = rest;
    }
    elements
}

#[test]
fn every_element() {
    assert_eq!(
        elements(b"+OK\r\n-ERR\r\n:-42\r\n$3\r\nabc\r\n$-1\r\n*-1\r\n_\r\n#t\r\n#f\r\n,-1.5\r\n(12\r\n!1\r\nx\r\n=5\r\ntxt:a\r\n"),
        [
            Element::SimpleString(b"OK"),
            Element::SimpleError(b"ERR"),
            Element::Integer(-42),
            Element::BulkString(b"abc"),
            Element::NullBulkString,
            Element::NullArray,
            Element::Null,
            Element::Boolean(true),
            Element::Boolean(false),
            Element::Double(-1.5),
            Element::BigNumber(b"12"),
            Element::BulkError(b"x"),
            Element::VerbatimString(*b"txt", b"a"),
        ]
    );
    assert_eq!(
        elements(b"*1\r\n~2\r\n>3\r\n%4\r\n|5\r\n$?\r\n;1\r\na\r\n;0\r\n*?\r\n~?\r\n%?\r\n.\r\n"),
        [
            Element::Array(1),
            Element::Set(2),
            Element::Push(3),
            Element::Map(4),
            Element::Attribute(5),
            Element::StreamedString,
            Element::Chunk(b"a"),
            Element::Chunk(b""),
            Element::StreamedArray,
            Element::StreamedSet,
            Element::StreamedMap,
            Element::End,
        ]
    );
}

#[test]
fn an_element_that_goes_on_says_how_much_is_missing_at_least() {
    let missing = |input: &'static [u8]| match element(input, &Limits::client()) {
        Err(nom::Err::Incomplete(nom::Needed::Size(size))) => size.get(),
        other => panic!("{other:?}"),
    };
    assert_eq!(missing(b""), 1);
    assert_eq!(missing(b"+O"), 2);
    assert_eq!(missing(b"+OK\r"), 1);
    assert_eq!(missing(b"$5\r\nhel"), 4);
    assert_eq!(missing(b"$5\r\n"), 7);
    assert_eq!(missing(b"$5\r\nhello\r"), 1);
    assert_eq!(missing(b"!1\r\n"), 3);
}

#[test]
fn a_fault_says_how_much_is_left_behind_it() {
    let fault = |input: &'static [u8]| match element(input, &Limits::client()) {
        Err(nom::Err::Failure(fault)) => (fault.kind, input.len() - fault.rest),
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(b"?\r\n"), (ErrorKind::UnknownType, 0));
    assert_eq!(fault(b":1x\r\n+OK\r\n"), (ErrorKind::InvalidInteger, 2));
    assert_eq!(fault(b"$1\r\nabc\r\n"), (ErrorKind::MissingTerminator, 5));
}

#[test]
fn parsers_of_ones_own_fail_in_the_same_way() {
    fn greeting(input: &[u8]) -> Parsed<'_, &[u8]> {
        alt((tag("HELLO"), tag("HI"))).parse(input)
    }
    assert_eq!(greeting(b"HI:1\r\n"), Ok((&b":1\r\n"[..], &b"HI"[..])));
    let Err(nom::Err::Error(Fault { kind, rest, .. })) = greeting(b"+OK\r\n") else {
        panic!("neither of them is a greeting");
    };
    assert_eq!((kind, rest), (ErrorKind::UnknownType, 5));
}
