//! Properties of units with their values, as they go over D-Bus and as people read them.

use crate::spec::cpus;
use rustbus::signature::{Container, StructTypes, Type};
use rustbus::wire::errors::MarshalError;
use rustbus::wire::marshal::MarshalContext;
use rustbus::wire::marshal::traits::SignatureBuffer;
use rustbus::{Marshal, Signature};
use std::fmt;

/// One property of a unit (org.freedesktop.systemd1(5)).
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    pub name: String,
    pub value: Value,
}

/// The types that properties of scopes have.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Switch(bool),
    I32(i32),
    U32(u32),
    I64(i64),
    U64(u64),
    Double(f64),
    Text(String),
    Texts(Vec<String>),
    /// A set of numbers, the lowest bit of the first byte being number 0.
    Bits(Vec<u8>),
    /// Processes.
    Pids(Vec<u32>),
    /// Devices, each with the letters of what is allowed.
    Rules(Vec<(String, String)>),
    /// Devices, each with a number.
    Rates(Vec<(String, u64)>),
}

/// systemd's number for "no limit".
pub const INFINITY: u64 = u64::MAX;

impl Value {
    pub fn texts(&self) -> &[String] {
        match self {
            Value::Text(text) => std::slice::from_ref(text),
            Value::Texts(texts) => texts,
            _ => &[],
        }
    }
}

impl Property {
    pub fn new(name: &str, value: Value) -> Property {
        Property { name: name.to_owned(), value }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Property { name, value } = self;
        match value {
            Value::Switch(on) => write!(f, "{name}={on}"),
            Value::I32(number) => write!(f, "{name}={number}"),
            Value::U32(number) => write!(f, "{name}={number}"),
            Value::I64(number) => write!(f, "{name}={number}"),
            Value::U64(INFINITY) => write!(f, "{name}=infinity"),
            Value::U64(number) => write!(f, "{name}={number}"),
            Value::Double(number) => write!(f, "{name}={number}"),
            Value::Text(text) => write!(f, "{name}={text}"),
            Value::Texts(texts) => write!(f, "{name}={}", texts.join(" ")),
            Value::Bits(bits) => write!(f, "{name}={}", cpus::list(bits)),
            Value::Pids(pids) => write!(f, "{name}={pids:?}"),
            Value::Rules(rules) => {
                let rules: Vec<String> =
                    rules.iter().map(|(device, access)| format!("{device} {access}")).collect();
                write!(f, "{name}={}", rules.join("; "))
            }
            Value::Rates(rates) => {
                let rates: Vec<String> =
                    rates.iter().map(|(device, rate)| format!("{device} {rate}")).collect();
                write!(f, "{name}={}", rates.join("; "))
            }
        }
    }
}

impl Signature for Property {
    fn signature() -> Type {
        let fields = vec![String::signature(), Type::Container(Container::Variant)];
        match StructTypes::new(fields) {
            Ok(fields) => Type::Container(Container::Struct(fields)),
            // A struct without fields alone is none.
            Err(_) => Type::Container(Container::Variant),
        }
    }
    fn alignment() -> usize {
        8
    }
    fn sig_str(signature: &mut SignatureBuffer) {
        signature.push_static("(sv)");
    }
    fn has_sig(signature: &str) -> bool {
        signature == "(sv)"
    }
}

impl Marshal for Property {
    fn marshal(&self, to: &mut MarshalContext) -> std::result::Result<(), MarshalError> {
        to.align_to(8);
        self.name.marshal(to)?;
        match &self.value {
            Value::Switch(on) => on.marshal_as_variant(to),
            Value::I32(number) => number.marshal_as_variant(to),
            Value::U32(number) => number.marshal_as_variant(to),
            Value::I64(number) => number.marshal_as_variant(to),
            Value::U64(number) => number.marshal_as_variant(to),
            Value::Double(number) => {
                // rustbus has no type for it; it is laid out like a number of as many bytes.
                rustbus::wire::util::write_signature("d", to.buf);
                number.to_bits().marshal(to)
            }
            Value::Text(text) => text.marshal_as_variant(to),
            Value::Texts(texts) => texts.marshal_as_variant(to),
            Value::Bits(bits) => bits.marshal_as_variant(to),
            Value::Pids(pids) => pids.marshal_as_variant(to),
            Value::Rules(rules) => rules.marshal_as_variant(to),
            Value::Rates(rates) => rates.marshal_as_variant(to),
        }
    }
}
