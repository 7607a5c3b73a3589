//! `Checkpoint`: a task's processes to files, by CRIU; and `Start` of a task that comes from such files.

use crate::engine::{
    AfterDump, CheckpointOptions as EngineOptions, CriuOptions, Engine, Force, Recipients, RestoreOptions,
    Started,
};
use crate::error::Result;
use crate::shim::containerd::create::hold_or_undo;
use crate::shim::containerd::ends::event;
use crate::shim::containerd::model::{Call, Container, Phase, Process, Record};
use crate::shim::containerd::protocol::event_messages::CheckpointedEvent;
use crate::shim::containerd::protocol::frames::Code;
use crate::shim::containerd::protocol::messages::{CheckpointOptions, CheckpointRequest, Options};
use crate::shim::containerd::replies::{Reply, status_of};
use crate::shim::containerd::runtime::{Runtime, create_options};
use crate::shim::containerd::shim::Shim;
use crate::shim::containerd::streams::Ends;
use prost::Message;
use std::path::PathBuf;
use std::sync::Arc;

impl Shim {
    pub(super) fn checkpoint(&mut self, call: Call, request: CheckpointRequest) -> Reply {
        let container = self.container(&request.id)?;
        let options = match &request.options {
            Some(any) => CheckpointOptions::decode(&*any.value)
                .map_err(|e| Code::InvalidArgument.saying(format!("the options cannot be read: {e}")))?,
            None => CheckpointOptions::default(),
        };
        // Of these CRIU keeps the network alone empty, and that always.
        if let Some(other) = options.empty_namespaces.iter().find(|kind| *kind != "network") {
            let refusal = format!("empty_namespaces has {other:?}: only a network namespace can be left out");
            return Err(Code::InvalidArgument.saying(refusal));
        }
        let path = [&options.image_path, &request.path].into_iter().find(|path| !path.is_empty()).cloned();
        let (id, path) = (container.id.clone(), PathBuf::from(path.unwrap_or_default()));
        let work = move |runtime: &Runtime| dump(runtime.engine()?, &id, path, &options);
        let then = move |shim: &mut Shim, dumped: Result<()>| {
            let told = CheckpointedEvent { container_id: request.id, checkpoint: request.path };
            let (answer, events) = match dumped {
                Ok(()) => (Ok(Vec::new()), vec![event("/tasks/checkpointed", "TaskCheckpointed", &told)]),
                Err(error) => (Err(status_of(&error, "")), Vec::new()),
            };
            shim.answer(call, answer, Record { events, ..Record::default() })
        };
        self.when_free(call, &container.id, |shim| shim.in_turn(call, &container, work, then))
    }

    /// Makes the processes of a container of which `Create` has said where they come from.
    pub(super) fn restore(&mut self, call: Call, process: Process) -> Reply {
        let container = self.container(&process.name.container)?;
        let id = container.id.clone();
        self.when_free(call, &id, |shim| shim.begin_restore(call, process, container))
    }

    fn begin_restore(&mut self, call: Call, process: Process, container: Container) -> Result<()> {
        // What a killed shim has left of it.
        self.end_streams(process.number)?;
        let ends = self.open_streams(&process)?;
        let (variables, again) = (self.logger_variables(&container.id), self.was_begun_before(call));
        let (made, terminal, number) = (container.clone(), process.terminal, process.number);
        let keeper = Arc::clone(&self.keeper);
        let work = move |runtime: &Runtime| {
            let engine = runtime.engine()?;
            let logger = ends.start_logger(&variables)?;
            if again {
                engine.delete(&made.id, Force::Kill)?;
            }
            let started = restore(engine, &made, terminal, &ends)?;
            hold_or_undo(&keeper, number, &started, runtime, &made)?;
            Ok((started, logger))
        };
        self.in_turn(call, &container, work, move |shim, restored: Result<(Started, _)>| {
            let restored = restored.and_then(|(started, logger)| {
                shim.keep_logger(process.number, logger)?;
                shim.take_started(&process, started)
            });
            let (pid, pidfd) = match restored {
                Ok(restored) => restored,
                Err(error) => {
                    shim.end_streams(process.number)?;
                    return shim.started(call, process, Err(error));
                }
            };
            let process = Process { pid, phase: Phase::Running.into(), ..process };
            shim.note(Record { process: Some(process.clone()), ..Record::default() })?;
            shim.live(&process, pidfd)?;
            shim.watch_oom(&process.name.container, process.number);
            shim.started(call, process, Ok(()))
        })?;
        self.starting.insert(number, ());
        Ok(())
    }
}

/// In a thread.
fn dump(engine: &Engine, id: &str, path: PathBuf, options: &CheckpointOptions) -> Result<()> {
    let dump = EngineOptions {
        criu: CriuOptions {
            image_path: path,
            work_path: (!options.work_path.is_empty()).then(|| PathBuf::from(&options.work_path)),
            tcp_established: options.open_tcp,
            ext_unix_sk: options.external_unix_sockets,
            shell_job: options.terminal,
            file_locks: options.file_locks,
            ..CriuOptions::default()
        },
        // The engine would delete it: that is `Delete`'s, after its end was told as every other.
        after: AfterDump::Run,
        ..EngineOptions::default()
    };
    engine.checkpoint(id, &dump)?;
    if options.exit { engine.kill(id, libc::SIGKILL, Recipients::All) } else { Ok(()) }
}

/// In a thread.
fn restore(engine: &Engine, container: &Container, terminal: bool, ends: &Ends) -> Result<Started> {
    let options = Options::of_container(container);
    let streams = if terminal { [None; 3] } else { ends.borrowed() };
    let restore = RestoreOptions {
        create: create_options(container, streams),
        criu: CriuOptions {
            image_path: PathBuf::from(&container.checkpoint),
            work_path: (!options.criu_work_path.is_empty()).then(|| PathBuf::from(&options.criu_work_path)),
            shell_job: terminal,
            ..CriuOptions::default()
        },
        ..RestoreOptions::default()
    };
    engine.restore(&restore).map(|running| running.process)
}
