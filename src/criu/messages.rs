//! The messages of CRIU's RPC (criu.org/RPC), as far as we send and read them: numbers and types are those of its rpc.proto.
//! A field that is not set is not sent, and CRIU takes its default.

use prost::Message;

/// What is asked (`criu_req_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    Dump = 1,
    Restore = 2,
    PreDump = 4,
    Notify = 6,
    FeatureCheck = 9,
    Version = 10,
}

/// How a restore treats cgroups (`criu_cg_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum CgroupMode {
    Ignore = 0,
    Soft = 3,
    Full = 4,
    Strict = 5,
}

#[derive(Clone, PartialEq, Message)]
pub struct Request {
    #[prost(int32, optional, tag = "1")]
    pub kind: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub options: Option<Options>,
    #[prost(bool, optional, tag = "3")]
    pub notify_success: Option<bool>,
    #[prost(message, optional, tag = "5")]
    pub features: Option<Features>,
}

impl Request {
    pub fn of(kind: Kind) -> Request {
        Request { kind: Some(kind as i32), ..Request::default() }
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct Options {
    /// A descriptor of ours: CRIU opens it through our /proc.
    #[prost(int32, optional, tag = "1")]
    pub images_dir_fd: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub pid: Option<i32>,
    #[prost(bool, optional, tag = "3")]
    pub leave_running: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub ext_unix_sk: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub tcp_established: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub evasive_devices: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub shell_job: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    pub file_locks: Option<bool>,
    #[prost(int32, optional, tag = "9")]
    pub log_level: Option<i32>,
    #[prost(string, optional, tag = "10")]
    pub log_file: Option<String>,
    #[prost(message, optional, tag = "11")]
    pub page_server: Option<PageServer>,
    #[prost(bool, optional, tag = "12")]
    pub notify_scripts: Option<bool>,
    #[prost(string, optional, tag = "13")]
    pub root: Option<String>,
    #[prost(string, optional, tag = "14")]
    pub parent_img: Option<String>,
    #[prost(bool, optional, tag = "15")]
    pub track_mem: Option<bool>,
    #[prost(bool, optional, tag = "16")]
    pub auto_dedup: Option<bool>,
    /// As `images_dir_fd`.
    #[prost(int32, optional, tag = "17")]
    pub work_dir_fd: Option<i32>,
    #[prost(bool, optional, tag = "18")]
    pub link_remap: Option<bool>,
    #[prost(message, repeated, tag = "23")]
    pub ext_mnt: Vec<MountMap>,
    #[prost(bool, optional, tag = "24")]
    pub manage_cgroups: Option<bool>,
    #[prost(bool, optional, tag = "26")]
    pub rst_sibling: Option<bool>,
    #[prost(message, repeated, tag = "27")]
    pub inherit_fd: Vec<InheritFd>,
    #[prost(message, repeated, tag = "25")]
    pub cg_root: Vec<CgroupRoot>,
    #[prost(int32, optional, tag = "34")]
    pub manage_cgroups_mode: Option<i32>,
    #[prost(string, repeated, tag = "37")]
    pub external: Vec<String>,
    /// `CLONE_NEW…`
    #[prost(uint32, optional, tag = "38")]
    pub empty_ns: Option<u32>,
    #[prost(message, repeated, tag = "39")]
    pub join_ns: Vec<JoinNamespace>,
    #[prost(string, optional, tag = "44")]
    pub freeze_cgroup: Option<String>,
    #[prost(bool, optional, tag = "46")]
    pub tcp_skip_in_flight: Option<bool>,
    #[prost(bool, optional, tag = "48")]
    pub lazy_pages: Option<bool>,
    #[prost(bool, optional, tag = "50")]
    pub orphan_pts_master: Option<bool>,
    #[prost(string, optional, tag = "51")]
    pub config_file: Option<String>,
    #[prost(bool, optional, tag = "52")]
    pub tcp_close: Option<bool>,
    #[prost(string, optional, tag = "53")]
    pub lsm_profile: Option<String>,
    #[prost(string, optional, tag = "63")]
    pub lsm_mount_context: Option<String>,
}

/// A mount whose content is not CRIU's: its place in the container and a word for it at a dump; the word and the source
/// at a restore.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MountMap {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(string, required, tag = "2")]
    pub value: String,
}

/// A descriptor of CRIU's that takes the place of a file of the images.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct InheritFd {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(int32, required, tag = "2")]
    pub fd: i32,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct JoinNamespace {
    #[prost(string, required, tag = "1")]
    pub kind: String,
    #[prost(string, required, tag = "2")]
    pub file: String,
}

/// Where the cgroups of the images are to be.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CgroupRoot {
    #[prost(string, optional, tag = "1")]
    pub controllers: Option<String>,
    #[prost(string, required, tag = "2")]
    pub path: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct PageServer {
    #[prost(string, optional, tag = "1")]
    pub address: Option<String>,
    #[prost(int32, optional, tag = "2")]
    pub port: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Features {
    #[prost(bool, optional, tag = "1")]
    pub mem_track: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub lazy_pages: Option<bool>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Response {
    #[prost(int32, optional, tag = "1")]
    pub kind: Option<i32>,
    #[prost(bool, optional, tag = "2")]
    pub success: Option<bool>,
    #[prost(message, optional, tag = "4")]
    pub restored: Option<Restored>,
    #[prost(message, optional, tag = "5")]
    pub notify: Option<Notify>,
    #[prost(int32, optional, tag = "7")]
    pub errno: Option<i32>,
    #[prost(message, optional, tag = "8")]
    pub features: Option<Features>,
    #[prost(string, optional, tag = "9")]
    pub message: Option<String>,
    #[prost(message, optional, tag = "10")]
    pub version: Option<Version>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Restored {
    #[prost(int32, required, tag = "1")]
    pub pid: i32,
}

/// Where CRIU has come, and waits for an answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Notify {
    #[prost(string, optional, tag = "1")]
    pub script: Option<String>,
    /// The container's first process.
    #[prost(int32, optional, tag = "2")]
    pub pid: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Version {
    #[prost(int32, required, tag = "1")]
    pub major: i32,
    #[prost(int32, required, tag = "2")]
    pub minor: i32,
    #[prost(int32, optional, tag = "4")]
    pub sublevel: Option<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes are those of the RPC: field 1 (varint) 1, field 2 (message) with field 2 (varint) 300.
    #[test]
    fn a_request_is_encoded_as_the_rpc_has_it() {
        let options = Options { pid: Some(300), ..Options::default() };
        let request = Request { options: Some(options), ..Request::of(Kind::Dump) };
        assert_eq!(request.encode_to_vec(), [8, 1, 18, 3, 16, 0xac, 2]);
    }

    #[test]
    fn what_a_newer_criu_says_besides_is_passed_over() {
        let bytes = [8, 6, 16, 1, 42, 4, 10, 2, b'h', b'i', 0xfa, 0x7f, 1, b'x'];
        let response = Response::decode(&bytes[..]).unwrap();
        assert_eq!((response.kind, response.success), (Some(6), Some(true)));
        assert_eq!(response.notify.unwrap().script.as_deref(), Some("hi"));
        assert!(Response::decode(&[10][..]).is_err());
    }
}
