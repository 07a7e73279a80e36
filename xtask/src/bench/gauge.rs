//! CPU time and peak memory of processes, from /proc (proc(5)). Linux only.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// `/proc/PID/stat` counts in hundredths of a second on every Linux that we build for (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

/// One line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    process: u32,
    parent: u32,
    /// Its own time, user and system.
    own: u32,
    /// That of its children that have ended.
    ended: u32,
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        // The program's name stands in parentheses and may hold any sign.
        let (process, rest) = text.split_once(" (")?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |place: usize| fields.get(place)?.parse::<u32>().ok();
        let own = field(11)? + field(12)?;
        Some(Stat { process: process.parse().ok()?, parent: field(1)?, own, ended: field(13)? + field(14)? })
    }

    fn of(process: &str) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }
}

/// The CPU time of this process so far, all threads.
pub fn own() -> Duration {
    Stat::of("self").map(|stat| TICK * stat.own).unwrap_or_default()
}

/// The CPU time of a process so far, all threads.
///
/// # Errors
/// When it has ended.
pub fn process(process: u32) -> Result<Duration> {
    let stat = Stat::of(&process.to_string()).context("a process that is measured has ended")?;
    Ok(TICK * stat.own)
}

/// The CPU time of a process and all its descendants, those that have ended and were waited for included.
pub fn tree(root: u32) -> Duration {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = folders.filter_map(|folder| Stat::of(folder.file_name().to_str()?));
    TICK * sum(root, &stats.map(|stat| (stat.process, stat)).collect())
}

fn sum(root: u32, all: &HashMap<u32, Stat>) -> u32 {
    let belongs = |stat: &&Stat| {
        let mut at = stat.process;
        while at != root {
            match all.get(&at) {
                Some(stat) if stat.parent != at => at = stat.parent,
                _ => return false,
            }
        }
        true
    };
    all.values().filter(belongs).map(|stat| stat.own + stat.ended).sum()
}

/// The most memory that a process has had so far, in bytes.
///
/// # Errors
/// When it has ended.
pub fn peak(process: u32) -> Result<u64> {
    memory(process, "VmHWM:")
}

/// Sets the most memory of a process to what it has now (`5` in `clear_refs`, proc(5)).
///
/// # Errors
/// When it has ended, or belongs to another user.
pub fn forget_peak(process: u32) -> Result<()> {
    fs::write(format!("/proc/{process}/clear_refs"), "5").context("a process that is measured has ended")
}

/// The memory that a process has now, in bytes.
///
/// # Errors
/// When it has ended.
pub fn resident(process: u32) -> Result<u64> {
    memory(process, "VmRSS:")
}

fn memory(process: u32, field: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"));
    let text = text.context("a process that is measured has ended")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.context("the kernel tells no memory of a process that is measured")? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<Stat>) {
        assert_eq!(Stat::parse(line), expected, "{line}");
    }

    #[test]
    fn lines_of_proc_are_read() {
        let tail = "S 1 9 9 0 -1 4194560 20 0 0 0 70 30 5 2 20 0 1 0 33";
        let expected = Some(Stat { process: 9, parent: 1, own: 100, ended: 7 });
        check(&format!("9 (sh) {tail}"), expected);
        check(&format!("9 (a) b (c) {tail}"), expected);
        check("9 (sh) S 1", None);
        check("", None);
    }

    #[test]
    fn a_tree_is_a_process_with_all_below_it() {
        let stat = |process, parent, own, ended| (process, Stat { process, parent, own, ended });
        let all = HashMap::from([
            stat(1, 0, 1000, 0),
            stat(5, 1, 10, 3),
            stat(6, 5, 20, 0),
            stat(7, 6, 40, 0),
            stat(8, 1, 500, 0),
        ]);
        assert_eq!(sum(5, &all), 73);
        assert_eq!(sum(7, &all), 40);
    }

    #[test]
    fn this_process_has_used_memory() {
        let (peak, now) = (peak(std::process::id()).unwrap(), resident(std::process::id()).unwrap());
        assert!(peak > 100 * 1024 && now > 100 * 1024, "{peak} {now}");
        assert!(process(std::process::id()).is_ok());
    }
}
