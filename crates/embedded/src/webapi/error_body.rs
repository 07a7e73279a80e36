//! How an error is written: in the shape of the version that the URL names, with the annotations asked for (dataverse.md A3).
//!
//! * 9.x: `{"error":{"code":"0x80040217","message":"…"}}`, and behind them what `Prefer: odata.include-annotations` names. No
//!   plug-in fails here, so there is no trace, and status and sub-code say nothing more.
//! * 8.x: the code is empty, and `innererror` says the message again. Where in the server it happened is nobody's business.

use http::HeaderMap;
use postroom_formats::odata;
use postroom_formats::odata::path;
use postroom_formats::odata::prefer::Preferences;

use super::json::Json;
use super::{ApiVersion, Problem, Reply, preferences};

const STATUS: &str = "Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus";
const SUB_CODE: &str = "Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode";
const HELP: &str = "Microsoft.PowerApps.CDS.HelpLink";
const TRACE: &str = "Microsoft.PowerApps.CDS.TraceText";
const INNER: &str = "Microsoft.PowerApps.CDS.InnerError.Message";
/// The type that servers of 2016 name.
const EXCEPTION: &str = "Microsoft.Crm.CrmHttpException";

/// The form of one caller's errors.
#[derive(Debug, Clone, Default)]
pub(crate) struct ErrorForm {
    pub version: ApiVersion,
    pub prefer: Preferences,
}

impl ErrorForm {
    /// Of a request that may not be readable; `newest` is the server's own version.
    pub(crate) fn of(url: &str, headers: &HeaderMap, newest: ApiVersion) -> Self {
        let asked = path::resource(url).version.and_then(ApiVersion::of);
        ErrorForm { version: asked.unwrap_or(newest).min(newest), prefer: preferences::read(headers) }
    }

    pub(crate) fn reply(&self, problem: Problem) -> Reply {
        let mut json = Json::default();
        json.object(|json| {
            json.key("error").object(|json| match self.version < ApiVersion::V90 {
                true => legacy(json, &problem),
                false => self.modern(json, &problem),
            });
        });
        let reply = Reply::json(problem.status, json.into_bytes());
        match problem.retry_after {
            Some(seconds) => reply.header("retry-after", &seconds.to_string()),
            None => reply,
        }
    }

    fn modern(&self, json: &mut Json, problem: &Problem) {
        let code = odata::hex(problem.code);
        json.key("code").value(&code);
        json.key("message").value(&problem.message);
        let number = code.strip_prefix("0x").unwrap_or(&code);
        let help = format!(
            "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a{number}&client=platform"
        );
        for (name, value) in
            [(STATUS, "0"), (SUB_CODE, "0"), (HELP, &help), (TRACE, ""), (INNER, &problem.message)]
        {
            if self.prefer.includes(name) {
                json.key(&format!("@{name}")).value(value);
            }
        }
    }
}

fn legacy(json: &mut Json, problem: &Problem) {
    json.key("code").value("");
    json.key("message").value(&problem.message);
    json.key("innererror").object(|json| {
        json.key("message").value(&problem.message);
        json.key("type").value(EXCEPTION);
        json.key("stacktrace").value("");
    });
}
