//! Between the codec's frames and the naive decoder's values.

// A panic here is a failed test.
#![allow(clippy::missing_panics_doc)]

use resp::{Frame, FrameRef};

use crate::naive::Value;

/// What a frame holds.
pub fn value(frame: FrameRef<'_>) -> Value {
    match frame.value() {
        resp::Value::SimpleString(text) => Value::SimpleString(text.to_vec()),
        resp::Value::SimpleError(text) => Value::SimpleError(text.to_vec()),
        resp::Value::Integer(integer) => Value::Integer(integer),
        resp::Value::BulkString(text) => Value::BulkString(text.to_vec()),
        resp::Value::StreamedString(chunks) => {
            Value::BulkString(chunks.flatten().copied().collect())
        }
        resp::Value::NullBulkString => Value::NullBulkString,
        resp::Value::NullArray => Value::NullArray,
        resp::Value::Null => Value::Null,
        resp::Value::Boolean(boolean) => Value::Boolean(boolean),
        resp::Value::Double(double) => Value::Double(double),
        resp::Value::BigNumber(digits) => Value::BigNumber(digits.to_vec()),
        resp::Value::BulkError(text) => Value::BulkError(text.to_vec()),
        resp::Value::VerbatimString(format, text) => Value::VerbatimString(format, text.to_vec()),
        resp::Value::Array(items) => Value::Array(values(items)),
        resp::Value::Set(items) => Value::Set(values(items)),
        resp::Value::Push(items) => Value::Push(values(items)),
        resp::Value::Map(items) => Value::Map(pairs(items)),
        resp::Value::Attribute(attribute, described) => {
            let mut attributes = vec![pairs(attribute)];
            match value(described) {
                Value::Attributed(more, described) => {
                    attributes.extend(more);
                    Value::Attributed(attributes, described)
                }
                described => Value::Attributed(attributes, Box::new(described)),
            }
        }
        other => panic!("a kind of value that the model lacks: {other:?}"),
    }
}

fn values(items: resp::Items<'_>) -> Vec<Value> {
    let count = items.len();
    let values: Vec<Value> = items.map(value).collect();
    assert_eq!(values.len(), count);
    values
}

fn pairs(items: resp::Pairs<'_>) -> Vec<(Value, Value)> {
    let count = items.len();
    let pairs: Vec<_> = items
        .map(|(key, mapped)| (value(key), value(mapped)))
        .collect();
    assert_eq!(pairs.len(), count);
    pairs
}

/// The frame of a value, put together by the constructors.
pub fn frame(value: &Value) -> Frame {
    match value {
        Value::SimpleString(text) => Frame::simple_string(text),
        Value::SimpleError(text) => Frame::simple_error(text),
        Value::Integer(integer) => Frame::integer(*integer),
        Value::BulkString(text) => Frame::bulk_string(text),
        Value::NullBulkString => Frame::null_bulk_string(),
        Value::NullArray => Frame::null_array(),
        Value::Null => Frame::null(),
        Value::Boolean(boolean) => Frame::boolean(*boolean),
        Value::Double(double) => Frame::double(*double),
        Value::BigNumber(digits) => Frame::big_number(digits).expect("digits"),
        Value::BulkError(text) => Frame::bulk_error(text),
        Value::VerbatimString(format, text) => Frame::verbatim_string(*format, text),
        Value::Array(items) => Frame::array(items.iter().map(frame)),
        Value::Set(items) => Frame::set(items.iter().map(frame)),
        Value::Push(items) => Frame::push(items.iter().map(frame)),
        Value::Map(pairs) => Frame::map(frames(pairs)),
        Value::Attributed(attributes, described) => attributes
            .iter()
            .rev()
            .fold(frame(described), |described, pairs| {
                described.with_attributes(frames(pairs))
            }),
    }
}

fn frames(pairs: &[(Value, Value)]) -> impl Iterator<Item = (Frame, Frame)> {
    pairs.iter().map(|(key, value)| (frame(key), frame(value)))
}
