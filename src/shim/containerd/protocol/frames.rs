//! ttrpc: frames of ten bytes and a payload, as much of it as a shim needs. Both ends of it are ours: the shim answers, and
//! it asks where it publishes events.

use prost::Message;

/// Length and stream, big endian; type; flags.
pub const HEADER: usize = 10;
/// Of a payload. Longer ones end the connection.
pub const LONGEST: usize = 4 << 20;

pub const REQUEST: u8 = 1;
pub const RESPONSE: u8 = 2;

#[derive(Clone, PartialEq, Message)]
pub struct Request {
    #[prost(string, tag = "1")]
    pub service: String,
    #[prost(string, tag = "2")]
    pub method: String,
    #[prost(bytes = "vec", tag = "3")]
    pub payload: Vec<u8>,
    #[prost(int64, tag = "4")]
    pub timeout_nano: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Response {
    #[prost(message, optional, tag = "1")]
    pub status: Option<Status>,
    #[prost(bytes = "vec", tag = "2")]
    pub payload: Vec<u8>,
}

/// google.rpc.Status.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

/// gRPC's status codes, those that we answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    Unknown = 2,
    InvalidArgument = 3,
    NotFound = 5,
    AlreadyExists = 6,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Internal = 13,
}

impl Code {
    pub fn saying(self, message: impl Into<String>) -> Status {
        Status { code: self as i32, message: message.into() }
    }
}

/// A whole frame.
pub fn frame(stream: u32, kind: u8, message: &impl Message) -> Vec<u8> {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(HEADER + length);
    bytes.extend_from_slice(&(length as u32).to_be_bytes());
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(&[kind, 0]);
    // A vector has room for whatever it is given.
    let _ = message.encode(&mut bytes);
    bytes
}

/// What a peer has sent that no frame of this protocol begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A whole frame at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First<'b> {
    pub stream: u32,
    pub kind: u8,
    pub payload: &'b [u8],
    /// Where it ends.
    pub end: usize,
}

/// The frame at the beginning of `bytes`; `None` while it is not whole.
pub fn first(bytes: &[u8]) -> Result<Option<First<'_>>, Malformed> {
    let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (length, stream, kind) = (number(0) as usize, number(4), header[8]);
    if length > LONGEST || !matches!(kind, REQUEST | RESPONSE) {
        return Err(Malformed);
    }
    let end = HEADER + length;
    Ok(bytes.get(HEADER..end).map(|payload| First { stream, kind, payload, end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written_and_not_before_it_is_whole() {
        let status = Code::NotFound.saying("no such task");
        let bytes = frame(7, RESPONSE, &Response { status: Some(status.clone()), payload: vec![1, 2] });
        for length in 0..bytes.len() {
            assert_eq!(first(&bytes[..length]), Ok(None));
        }
        let First { stream, kind, payload, end } = first(&bytes).unwrap().unwrap();
        assert_eq!((stream, kind, end), (7, RESPONSE, bytes.len()));
        assert_eq!(Response::decode(payload).unwrap().status, Some(status));
    }

    #[test]
    fn what_is_too_long_or_of_another_type_is_no_frame() {
        let mut bytes = frame(1, REQUEST, &Request::default());
        bytes[8] = 9;
        assert_eq!(first(&bytes), Err(Malformed));
        bytes[8] = REQUEST;
        bytes[..4].copy_from_slice(&(LONGEST as u32 + 1).to_be_bytes());
        assert_eq!(first(&bytes), Err(Malformed));
    }
}
