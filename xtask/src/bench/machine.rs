//! What is to be known about the machine before its figures are compared with another's.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::floor;

/// Cores, memory, kernel, disk, load.
pub fn notes(folder: &Path) -> Result<Vec<String>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("?".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let model = field("/proc/cpuinfo", "model name");
    let memory = field("/proc/meminfo", "MemTotal");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut notes =
        vec![format!("machine: {cores} cores ({model}), memory {memory}, Linux {}", kernel.trim())];
    notes.push("clients and servers share these cores; their CPU is counted apart".to_owned());
    notes.extend(floor::disk(folder)?);
    notes.extend(load_now());
    Ok(notes)
}

/// The load average, which tells whether the machine had other work.
pub fn load_now() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let numbers: Vec<&str> = text.split(' ').take(3).collect();
    Some(format!("load average: {}", numbers.join(" ")))
}
