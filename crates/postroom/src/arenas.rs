//! How much freed memory the C library's allocator keeps.
//!
//! glibc gives nearly every thread an arena of its own, and each keeps what its largest moment needed: many threads that now and
//! then hold a large mail keep many times what they use. With two arenas, and large blocks given back at once, the server's
//! peak is a quarter lower at the same rate. Both are read from the environment when a process begins, so a server begins itself
//! once more with them. Other C libraries, and whoever has set one of them, are left alone.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn few() {
    use std::os::unix::process::CommandExt;
    use std::{env, process::Command};

    const SET: [(&str, &str); 3] = [
        ("MALLOC_ARENA_MAX", "2"),
        ("MALLOC_MMAP_THRESHOLD_", "262144"),
        ("MALLOC_TRIM_THRESHOLD_", "524288"),
    ];
    let is_set = |name: &str| env::var_os(name).is_some();
    if is_set("GLIBC_TUNABLES") || SET.iter().any(|(name, _)| is_set(name)) {
        return;
    }
    let (Ok(program), mut words) = (env::current_exe(), env::args_os()) else { return };
    let name = words.next().unwrap_or_else(|| program.clone().into());
    // It comes back only when it failed: then more memory is kept, and nothing else is different.
    drop(Command::new(program).arg0(name).args(words).envs(SET).exec());
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn few() {}
