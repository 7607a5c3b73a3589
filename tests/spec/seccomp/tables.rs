//! Our table of system calls against libseccomp's, in both directions.

use super::oracle::{ARCHES, scmp};
use libseccomp::ScmpSyscall;
use rruntime::seccomp::{Arch, tables::Syscall, tables::X32_BIT};

fn arches() -> impl Iterator<Item = Arch> {
    ARCHES.into_iter().chain([Arch::S390x])
}

#[test]
fn every_call_of_libseccomp_is_in_our_table_with_the_same_number() {
    let mut count = 0;
    for arch in arches() {
        let base = if arch == Arch::X32 { X32_BIT } else { 0 };
        for number in (0..1000).chain(0x0f_0000..0x0f_0010).map(|number| base + number) {
            let Ok(name) = ScmpSyscall::from_raw_syscall(number as i32).get_name_by_arch(scmp(arch)) else {
                continue;
            };
            let ours = Syscall::by_name(&name).and_then(|call| call.number(arch));
            assert_eq!(ours, Some(number), "{arch:?} {name}");
            count += 1;
        }
    }
    assert!(count > 2500, "{count}");
}

#[test]
fn our_table_has_nothing_else_but_newer_calls() {
    // Linux 6.2 and later; and calls that libseccomp 2.5.4 does not have on that architecture.
    let newer = |number: u32| number & !X32_BIT > 450;
    let exceptions = ["uretprobe", "uprobe", "riscv_hwprobe", "sync_file_range2"];
    for arch in arches() {
        for call in Syscall::all() {
            let Some(number) = call.number(arch).filter(|number| !newer(*number)) else { continue };
            if exceptions.contains(&call.name()) {
                continue;
            }
            let name = ScmpSyscall::from_raw_syscall(number as i32).get_name_by_arch(scmp(arch));
            assert_eq!(name.as_deref().unwrap_or_default(), call.name(), "{arch:?} {number}");
        }
    }
}
