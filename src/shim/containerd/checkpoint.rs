//! `Checkpoint`: a task's processes to files, by CRIU.

use crate::engine::{AfterDump, CheckpointOptions as EngineOptions, CriuOptions};
use crate::shim::containerd::calls::{Reply, status_of};
use crate::shim::containerd::ends::event;
use crate::shim::containerd::event_messages::CheckpointedEvent;
use crate::shim::containerd::messages::{CheckpointOptions, CheckpointRequest};
use crate::shim::containerd::serve::Shim;
use crate::shim::frames::Code;
use crate::shim::model::{Call, Record};
use prost::Message;
use std::path::PathBuf;

pub(super) fn checkpoint(shim: &mut Shim, call: Call, request: CheckpointRequest) -> Reply {
    let container = shim.container(&request.id)?;
    let options = match &request.options {
        Some(any) => CheckpointOptions::decode(&*any.value)
            .map_err(|e| Code::InvalidArgument.saying(format!("the options cannot be read: {e}")))?,
        None => CheckpointOptions::default(),
    };
    let id = request.id.clone();
    if !shim.take_turn(call, &id) {
        return Ok(None);
    }
    let path = [&options.image_path, &request.path].into_iter().find(|path| !path.is_empty()).cloned();
    let begun = shim.plain_engine(&container).and_then(|engine| {
        let id = id.clone();
        shim.begin(move || {
            let dump = EngineOptions {
                criu: CriuOptions {
                    image_path: PathBuf::from(path.unwrap_or_default()),
                    work_path: (!options.work_path.is_empty()).then(|| PathBuf::from(&options.work_path)),
                    tcp_established: options.open_tcp,
                    ext_unix_sk: options.external_unix_sockets,
                    shell_job: options.terminal,
                    file_locks: options.file_locks,
                    ..CriuOptions::default()
                },
                // Its end is told as every other: what is left of it `Delete` takes away.
                after: AfterDump::Run,
                ..EngineOptions::default()
            };
            let dumped = engine.checkpoint(&id, &dump);
            let killed = dumped.is_ok() && options.exit;
            let dumped = if killed {
                dumped.and_then(|()| engine.kill(&id, libc::SIGKILL, crate::engine::Recipients::All))
            } else {
                dumped
            };
            Box::new(move |shim: &mut Shim| {
                let told = CheckpointedEvent { container_id: id.clone(), checkpoint: request.path.clone() };
                let (answer, events) = match dumped {
                    Ok(()) => (Ok(Vec::new()), vec![event("/tasks/checkpointed", "TaskCheckpointed", &told)]),
                    Err(error) => (Err(status_of(&error, "")), Vec::new()),
                };
                let finished = shim.answer(call, answer, Record { events, ..Record::default() });
                shim.finish(&id, finished);
            })
        })
    });
    begun.map(|()| None).map_err(|error| {
        shim.busy.remove(&id);
        status_of(&error, "")
    })
}
