//! What a command shows as JSON where no type of ours has that shape: values put together, in an order that stays.

use serde::{Serialize, Serializer};
use std::borrow::Cow;

pub enum Fact {
    Text(String),
    Number(u64),
    Real(f64),
    Yes(bool),
    List(Vec<String>),
    Array(Vec<Fact>),
    Object(Vec<(Cow<'static, str>, Fact)>),
    Missing,
}

impl Fact {
    pub fn text(value: impl ToString) -> Fact {
        Fact::Text(value.to_string())
    }

    pub fn list<T: ToString>(names: impl IntoIterator<Item = T>) -> Fact {
        Fact::List(names.into_iter().map(|name| name.to_string()).collect())
    }

    pub fn object<const N: usize>(members: [(&'static str, Fact); N]) -> Fact {
        Fact::Object(members.into_iter().map(|(name, fact)| (name.into(), fact)).collect())
    }
}

/// What is missing is null.
impl Serialize for Fact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Fact::Text(text) => serializer.serialize_str(text),
            Fact::Number(number) => serializer.serialize_u64(*number),
            // A whole one without a fraction, as Go writes it.
            Fact::Real(number) if number.fract() == 0.0 && (0.0..9e15).contains(number) => {
                serializer.serialize_u64(*number as u64)
            }
            Fact::Real(number) => serializer.serialize_f64(*number),
            Fact::Yes(yes) => serializer.serialize_bool(*yes),
            Fact::List(names) => serializer.collect_seq(names),
            Fact::Array(facts) => serializer.collect_seq(facts),
            Fact::Object(members) => serializer.collect_map(members.iter().map(|(name, fact)| (name, fact))),
            Fact::Missing => serializer.serialize_none(),
        }
    }
}
