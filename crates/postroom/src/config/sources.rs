//! Where configuration is looked for: the file and its `conf.d`, the environment, `--set` flags.
//!
//! Nothing here reads the environment by itself: the binary hands it over once ([`Sources::from_process`] for it).

use std::path::{Path, PathBuf};

use postroom_core::Code;

use super::origin::{Origin, Problem};
use super::secret::is_secret;
use super::tree::{self, Node, Table, Value};

/// The file that is looked for in each place.
const FILE: &str = "postroom.toml";
const PREFIX: &str = "POSTROOM_";
/// The flag that sets any key.
pub const SET: &str = "--set";

/// Everything that configuration may come from.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The environment, names and values.
    pub environment: Vec<(String, String)>,
    /// Flags that set a key: the flag as shown, and `KEY=VALUE`. Later ones win.
    pub flags: Vec<(String, String)>,
    /// The folder whose `postroom.toml` is tried after `$POSTROOM_CONFIG`.
    pub folder: PathBuf,
}

/// The merged tree, and the files it came from.
pub struct Gathered {
    pub root: Table,
    pub files: Vec<PathBuf>,
}

impl Sources {
    /// What this process was started with.
    pub fn from_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Sources { file, environment, flags, folder: PathBuf::from(".") }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The places that are searched when no file is named, first hit wins.
    pub fn places(&self) -> Vec<PathBuf> {
        let home = self.variable("HOME").map(|home| Path::new(home).join(".config"));
        let user = self.variable("XDG_CONFIG_HOME").map(PathBuf::from).or(home);
        let user = user.map(|folder| folder.join("postroom").join(FILE));
        let system = Path::new("/etc/postroom").join(FILE);
        [Some(self.folder.join(FILE)), user, Some(system)].into_iter().flatten().collect()
    }

    /// The file to read: named by flag or variable, else the first of the places that exists.
    fn find(&self) -> Result<Option<PathBuf>, Problem> {
        let flag = self.file.clone().map(|file| (file, Origin::Flag("--config".to_owned())));
        let variable = self.variable("POSTROOM_CONFIG").map(PathBuf::from);
        let variable = variable.map(|file| (file, Origin::Environment("POSTROOM_CONFIG".to_owned())));
        match flag.or(variable) {
            Some((file, origin)) if !file.is_file() => {
                let text = format!("there is no file {}", file.display());
                Err(Problem::new("", origin, text).with_code(Code::CONFIG_MISSING))
            }
            Some((file, _)) => Ok(Some(file)),
            None => Ok(self.places().into_iter().find(|place| place.is_file())),
        }
    }

    /// Reads and merges everything. `keys` are all that exist outside named tables, for hints only.
    pub fn gather(&self, keys: &[String]) -> Result<Gathered, Vec<Problem>> {
        let file = self.find().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let mut root = Table::new();
        let files = file.as_deref().map(|file| with_parts(file, &mut problems)).unwrap_or_default();
        for file in &files {
            match read(file) {
                Ok(table) => tree::merge(&mut root, table, "", &mut problems),
                Err(found) => problems.extend(found),
            }
        }
        let settings = self.overlay_environment(&mut root, keys, &mut problems)
            + self.overlay_flags(&mut root, &mut problems);
        if files.is_empty() && settings == 0 && problems.is_empty() {
            return Err(vec![self.missing()]);
        }
        if problems.is_empty() { Ok(Gathered { root, files }) } else { Err(problems) }
    }

    fn missing(&self) -> Problem {
        let places: Vec<String> = self.places().iter().map(|place| place.display().to_string()).collect();
        let text = format!("no configuration was found; looked at {}", places.join(", "));
        Problem::new("", Origin::Default, text).with_code(Code::CONFIG_MISSING)
    }

    fn overlay_environment(&self, root: &mut Table, keys: &[String], problems: &mut Vec<Problem>) -> usize {
        let mut variables: Vec<_> =
            self.environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        let mut set = 0;
        for (name, value) in variables {
            let rest = &name[PREFIX.len()..];
            let origin = Origin::Environment(name.clone());
            if !rest.contains("__") {
                problems.extend(single_underscore(rest, value, keys, origin));
                continue;
            }
            let path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
            let path = as_written(root, path);
            set += usize::from(put(root, path, value, origin, problems));
        }
        set
    }

    fn overlay_flags(&self, root: &mut Table, problems: &mut Vec<Problem>) -> usize {
        let mut set = 0;
        for (shown, text) in &self.flags {
            let explicit = shown == SET;
            let Some((key, value)) = text.split_once('=') else {
                let text = "--set takes KEY=VALUE, for instance --set http.listen=127.0.0.1:8080";
                problems.push(Problem::new("", Origin::Flag(SET.to_owned()), text));
                continue;
            };
            let path = key.trim().split('.').map(str::to_owned).collect();
            let shown = if explicit { format!("{SET} {}", key.trim()) } else { shown.clone() };
            let put = put(root, path, value.trim(), Origin::Flag(shown), problems);
            // -v alone is no configuration.
            set += usize::from(put && explicit);
        }
        set
    }
}

/// Sets one key from a variable or flag. A secret may only be named there, by its file.
fn put(
    root: &mut Table,
    mut path: Vec<String>,
    value: &str,
    origin: Origin,
    problems: &mut Vec<Problem>,
) -> bool {
    let last = path.last().cloned().unwrap_or_default();
    if let Some(secret) = last.strip_suffix("_file").filter(|name| is_secret(name)) {
        let file = Node::loose(Value::Text(value.to_owned()), origin.clone());
        let table = Table::from([("file".to_owned(), file)]);
        path.pop();
        path.push(secret.to_owned());
        tree::overlay(root, &path, Node::loose(Value::Table(table), origin));
        return true;
    }
    if is_secret(&last) {
        let key = path.join(".");
        let text =
            format!("{key} is a secret and is not given here: name its file with {}", file_form(&origin));
        problems.push(Problem::new(key, origin, text));
        return false;
    }
    let structured = value.starts_with(['[', '{']).then(|| tree::parse_value(value, &origin)).flatten();
    let node = structured.unwrap_or_else(|| Node::loose(Value::Text(value.to_owned()), origin));
    tree::overlay(root, &path, node);
    true
}

fn file_form(origin: &Origin) -> String {
    match origin {
        Origin::Environment(name) => format!("{name}_FILE=/path"),
        Origin::Flag(flag) => format!("{flag}_file=/path"),
        _ => "{ file = \"/path\" }".to_owned(),
    }
}

/// `POSTROOM_HTTP_LISTEN` is most likely meant for `http.listen`. Other names are not ours: Kubernetes sets
/// POSTROOM_HTTP_PORT=tcp://… and its like for a service called postroom-http.
fn single_underscore(rest: &str, value: &str, keys: &[String], origin: Origin) -> Option<Problem> {
    let lower = rest.to_ascii_lowercase();
    let key =
        keys.iter().find(|key| key.replace('.', "_") == lower).filter(|_| !value.starts_with("tcp://"))?;
    let right = format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase());
    Some(Problem::new(key, origin, format!("section and key are divided by two underscores: write {right}")))
}

/// Variables are upper case and have no hyphen, names in the file may be and have: find the name that is meant.
fn as_written(root: &Table, path: Vec<String>) -> Vec<String> {
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let mut table = Some(root);
    let mut written = Vec::with_capacity(path.len());
    for name in path {
        let found = table.and_then(|table| table.iter().find(|(key, _)| plain(key) == name));
        table = match found {
            Some((_, Node { value: Value::Table(inner), .. })) => Some(inner),
            _ => None,
        };
        written.push(found.map_or(name, |(key, _)| key.clone()));
    }
    written
}

/// The file and the parts beside it, in name order.
fn with_parts(file: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new("")).join("conf.d");
    let mut parts = Vec::new();
    match std::fs::read_dir(&folder) {
        Ok(entries) => parts.extend(entries.flatten().map(|entry| entry.path())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let text = format!("{} cannot be read: {error}", folder.display());
            problems.push(Problem::new("", Origin::Default, text));
        }
    }
    parts.retain(|path| path.extension().is_some_and(|extension| extension == "toml") && path.is_file());
    parts.sort();
    std::iter::once(file.to_owned()).chain(parts).collect()
}

fn read(file: &Path) -> Result<Table, Vec<Problem>> {
    let failed = |error: std::io::Error| {
        vec![Problem::new("", Origin::Default, format!("{} cannot be read: {error}", file.display()))]
    };
    let text = std::fs::read_to_string(file).map_err(failed)?;
    tree::parse(&text, file)
}
