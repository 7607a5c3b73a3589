//! Images of CRIU, taken apart and put together again without a word of what their fields mean.

use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone)]
pub enum Value {
    Number(u64),
    Bytes(Vec<u8>),
    Fixed(Vec<u8>),
}

/// A message: its fields, in their order.
#[derive(Clone, Default)]
pub struct Message(pub Vec<(u64, Value)>);

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }
}

impl From<Message> for Value {
    fn from(message: Message) -> Value {
        Value::Bytes(message.encode())
    }
}

fn number(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            return number;
        }
    }
}

fn put(mut number: u64, bytes: &mut Vec<u8>) {
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

impl Message {
    pub fn decode(mut bytes: &[u8]) -> Message {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = number(&mut bytes);
            let length = match key & 7 {
                0 => 0,
                1 => 8,
                5 => 4,
                _ => number(&mut bytes) as usize,
            };
            let value = match key & 7 {
                0 => Value::Number(number(&mut bytes)),
                2 => Value::Bytes(bytes[..length].to_vec()),
                _ => Value::Fixed(bytes[..length].to_vec()),
            };
            bytes = &bytes[length..];
            fields.push((key >> 3, value));
        }
        Message(fields)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (field, value) in &self.0 {
            match value {
                Value::Number(number) => {
                    put(field << 3, &mut bytes);
                    put(*number, &mut bytes);
                }
                Value::Bytes(content) => {
                    put(field << 3 | 2, &mut bytes);
                    put(content.len() as u64, &mut bytes);
                    bytes.extend(content);
                }
                Value::Fixed(content) => {
                    put(field << 3 | if content.len() == 8 { 1 } else { 5 }, &mut bytes);
                    bytes.extend(content);
                }
            }
        }
        bytes
    }

    pub fn with(mut self, field: u64, value: impl Into<Value>) -> Message {
        self.set(field, value);
        self
    }

    pub fn set(&mut self, field: u64, value: impl Into<Value>) {
        self.0.retain(|(known, _)| *known != field);
        self.0.push((field, value.into()));
    }

    pub fn get(&self, field: u64) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == field).map(|(_, value)| value)
    }

    pub fn number(&self, field: u64) -> u64 {
        match self.get(field) {
            Some(Value::Number(number)) => *number,
            _ => panic!("field {field} is no number"),
        }
    }

    pub fn text(&self, field: u64) -> String {
        match self.get(field) {
            Some(Value::Bytes(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
            _ => panic!("field {field} is no text"),
        }
    }

    /// Changes the message in a field.
    pub fn change(&mut self, field: u64, change: impl FnOnce(&mut Message)) {
        let Some(Value::Bytes(bytes)) = self.get(field) else { panic!("field {field} is no message") };
        let mut message = Message::decode(bytes);
        change(&mut message);
        self.set(field, message);
    }
}

/// An image: two numbers (one in the inventory), and messages behind their lengths.
pub struct Image {
    path: PathBuf,
    head: Vec<u8>,
    pub entries: Vec<Message>,
}

const COMMON: u32 = 0x5456_4319;

impl Image {
    pub fn new(path: PathBuf, kind: u32) -> Image {
        Image { path, head: [COMMON.to_le_bytes(), kind.to_le_bytes()].concat(), entries: Vec::new() }
    }

    /// The first whose name begins so.
    pub fn find(directory: &Path, name: &str) -> Image {
        let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let begins = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(name);
        Image::read(paths.filter(begins).min().expect(name))
    }

    fn read(path: PathBuf) -> Image {
        let bytes = fs::read(&path).unwrap();
        let length = if bytes[..4] == COMMON.to_le_bytes() { 8 } else { 4 };
        let (head, mut rest) = bytes.split_at(length);
        let mut entries = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk() {
            let (entry, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
            entries.push(Message::decode(entry));
            rest = behind;
        }
        Image { head: head.to_vec(), entries, path }
    }

    pub fn write(&self) {
        let mut bytes = self.head.clone();
        for entry in &self.entries {
            let entry = entry.encode();
            bytes.extend((entry.len() as u32).to_le_bytes());
            bytes.extend(entry);
        }
        fs::write(&self.path, bytes).unwrap();
    }
}
