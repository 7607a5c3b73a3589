//! `run`: create, start, wait and delete in one process, without planning twice.

use crate::engine::caller::{foreground, notify::Proxy};
use crate::engine::life::{bundle::Bundle, create::Made, start_pipes::Starter};
use crate::engine::{AfterExit, CreateOptions, Engine, Orphans, RunOptions, Wait};
use crate::error::{Error, Kind, Result};
use crate::spec::Spec;
use crate::sys::identity;
use crate::sys::wait::Ended;

impl Engine {
    /// The exit code of the process; 0 when detached.
    pub fn run(&self, options: &CreateOptions, run: &RunOptions) -> Result<i32> {
        let bundle = Bundle::read(options)?;
        let spec = self.spec(&bundle, options)?;
        check_terminal(&spec, options, run)?;
        match run.wait {
            Wait::Detach => {
                let made = self.make(options, &bundle, &spec, Starter::Us)?;
                let (made, proxy) = self.start_or_undo(made, &spec, options, run)?;
                self.report_ready(&made.entry, &made.record, proxy);
                Ok(0)
            }
            Wait::Foreground => self.run_in_foreground(options, run, &bundle, &spec),
        }
    }

    fn run_in_foreground(
        &self,
        options: &CreateOptions,
        run: &RunOptions,
        bundle: &Bundle,
        spec: &Spec,
    ) -> Result<i32> {
        let orphans = run.orphans;
        if orphans == Orphans::Adopt {
            identity::become_subreaper().map_err(|e| e.because("prctl PR_SET_CHILD_SUBREAPER"))?;
        }
        let made = self.make(options, bundle, spec, Starter::Us)?;
        let (mut made, proxy) = self.start_or_undo(made, spec, options, run)?;
        // Others may look at the container and stop it while we wait.
        made.entry.unlock();
        let master = made.master.take();
        let ended = foreground::wait(made.init.process(), &self.watch, master, proxy, orphans);
        let code = ended.map(Ended::code);
        match run.after_exit {
            AfterExit::Keep => code,
            AfterExit::Delete => {
                let Made { entry, record, driver, .. } = made;
                drop(driver);
                if entry.relock().is_ok() {
                    self.destroy(entry, &record)?;
                }
                code
            }
        }
    }

    fn start_or_undo(
        &self,
        made: Made,
        spec: &Spec,
        options: &CreateOptions,
        run: &RunOptions,
    ) -> Result<(Made, Option<Proxy>)> {
        let started =
            self.proxy(&made.entry, &made.record, options.notify_socket.as_deref()).and_then(|proxy| {
                self.start_made(&made, spec)?;
                self.after_start(spec, &made.record)?;
                Ok(proxy)
            });
        match started {
            Ok(proxy) => Ok((made, proxy)),
            Err(error) => {
                let Made { entry, record, init, driver, .. } = made;
                drop(driver);
                init.end();
                if run.after_exit == AfterExit::Delete
                    && let Err(more) = self.destroy(entry, &record)
                {
                    self.warn(more.doing("cleaning up after a failure"));
                }
                Err(error)
            }
        }
    }
}

fn check_terminal(spec: &Spec, options: &CreateOptions, run: &RunOptions) -> Result<()> {
    let terminal = spec.process.as_ref().is_some_and(|process| process.terminal);
    if terminal && run.wait == Wait::Detach && options.console_socket.is_none() {
        return Err(Error::new(
            "cannot allocate tty if the runtime will detach without setting console socket",
        )
        .kind(Kind::Argument)
        .field("--console-socket"));
    }
    if options.console_socket.is_some() && run.wait == Wait::Foreground {
        return Err(Error::new("cannot use console socket if the runtime will not detach or allocate tty")
            .kind(Kind::Argument)
            .field("--console-socket"));
    }
    Ok(())
}
