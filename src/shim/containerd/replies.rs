//! Reading requests, and answering them: what all calls have in common.

use crate::error::{Error, Kind};
use crate::shim::containerd::model::Name;
use crate::shim::containerd::protocol::frames::{Code, Request, Status};
use crate::shim::containerd::protocol::messages::ProcessRequest;
use prost::Message;

/// `None`: the answer comes later.
pub(super) type Reply = std::result::Result<Option<Vec<u8>>, Status>;

/// By which `delete` tells a shim that containerd has given it up.
pub(super) const OWN_REQUEST: (&str, &str) = ("rruntime.Shim", "Forget");

/// The process that a request names: `id` and `exec_id` are the first two fields of all that name one.
pub(super) fn named(request: &Request) -> Option<Name> {
    let named = ProcessRequest::decode(&*request.payload).ok()?;
    Some(Name { container: named.id, exec: named.exec_id })
}

pub(super) fn read<M: Message + Default>(request: &Request) -> std::result::Result<M, Status> {
    let wrong =
        |e| Code::InvalidArgument.saying(format!("{}: the request cannot be read: {e}", request.method));
    M::decode(&*request.payload).map_err(wrong)
}

pub(super) fn said(message: &impl Message) -> Reply {
    Ok(Some(message.encode_to_vec()))
}

pub(super) fn nothing() -> Reply {
    Ok(Some(Vec::new()))
}

/// As containerd is told of one of ours.
pub(super) fn status_of(error: &Error, doing: &str) -> Status {
    let code = match error.detail().kind {
        Kind::NoSuchContainer => Code::NotFound,
        Kind::IdInUse => Code::AlreadyExists,
        Kind::Config | Kind::Argument => Code::InvalidArgument,
        Kind::Unsupported => Code::Unimplemented,
        _ => Code::Unknown,
    };
    // containerd shows it as it is, and clients look for their program's name in it.
    code.saying(if doing.is_empty() { error.to_string() } else { format!("{doing}: {error}") })
}

pub(super) fn internal(error: &Error) -> Status {
    Code::Internal.saying(error.to_string())
}

/// Ids become names of files. None at all is allowed where a request needs none.
pub(super) fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    id.len() <= 128 && id.bytes().all(plain) && !id.starts_with(['.', '-'])
}
