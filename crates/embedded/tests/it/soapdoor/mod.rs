//! The SOAP door, asked in raw XML as a client asks it: a request in, an answer out, no sockets.

mod definitions;
mod descriptions;
mod hostile;
mod operations;
mod personas;
mod rows;
pub mod several;

use bytes::Bytes;
use http::HeaderMap;
use postroom_embedded::seed;
use postroom_embedded::session::Session;
use postroom_embedded::soap::{Door, Generation, Settings};
use postroom_embedded::webapi::Request;
use postroom_formats::soap::envelope::{Envelope, Soap};
use postroom_formats::soap::fault::Fault;
use postroom_formats::soap::operation::Answer as Said;
use postroom_formats::soap::request::Response;
use postroom_formats::soap::value::{Any, Entity, EntityCollection};
use postroom_formats::xml::Limits;
use uuid::Uuid;

use crate::bench::{Bench, On};

const PATH: &str = "/XRMServices/2011/Organization.svc/web";
pub const ORIGIN: &str = "https://crm.example:8443";

/// A door on a CRM of the test's own.
pub struct SoapBench {
    pub bench: Bench,
    pub door: Door,
    pub session: Session,
}

/// An answer as it came.
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl SoapBench {
    pub async fn new(on: On) -> Self {
        SoapBench::of(on, Settings::default()).await
    }

    pub async fn of(on: On, settings: Settings) -> Self {
        let bench = Bench::new(on).await;
        let door = Door::new(bench.ids.clone(), settings);
        let session = bench.crm.session(seed::ADMINISTRATOR);
        SoapBench { bench, door, session }
    }

    pub async fn generation(generation: Generation) -> Self {
        SoapBench::of(On::Sqlite, Settings { generation, ..Settings::default() }).await
    }

    pub async fn post(&self, path: &str, kind: &str, body: impl Into<Bytes>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        let request = Request {
            method: "POST".parse().unwrap(),
            url: path.into(),
            origin: ORIGIN.into(),
            headers,
            body: body.into(),
        };
        let reply = self.door.answer(&self.session, request).await;
        Answer { status: reply.status.as_u16(), text: String::from_utf8(reply.body.to_vec()).unwrap() }
    }

    /// One operation in the body of an envelope of this version.
    pub async fn ask(&self, soap: Soap, body: &str) -> Answer {
        self.post(PATH, soap.content_type(), envelope(soap, body)).await
    }

    #[track_caller]
    pub fn said(&self, soap: Soap, body: &str) -> impl Future<Output = Said> {
        let shown = body.to_owned();
        async move { self.ask(soap, &shown).await.said() }
    }

    /// `Execute` of a message with these parameters.
    pub async fn execute(&self, name: &str, parameters: &str) -> Response {
        match self.said(Soap::V11, &message(name, parameters)).await {
            Said::Execute(response) => response,
            other => panic!("{other:?}"),
        }
    }

    pub async fn fault(&self, name: &str, parameters: &str) -> Fault {
        self.ask(Soap::V11, &message(name, parameters)).await.fault()
    }

    pub async fn create(&self, entity: &str) -> Uuid {
        let body = format!("<Create {NS}><entity>{entity}</entity></Create>");
        match self.said(Soap::V11, &body).await {
            Said::Create(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub async fn retrieve(&self, table: &str, id: Uuid, columns: &[&str]) -> Entity {
        let body = format!(
            "<Retrieve {NS}><entityName>{table}</entityName><id>{id}</id><columnSet>{}</columnSet></Retrieve>",
            column_set(columns)
        );
        match self.said(Soap::V12, &body).await {
            Said::Retrieve(entity) => entity,
            other => panic!("{other:?}"),
        }
    }

    pub async fn rows(&self, query: &str) -> EntityCollection {
        let body = format!("<RetrieveMultiple {NS}>{query}</RetrieveMultiple>");
        match self.said(Soap::V11, &body).await {
            Said::RetrieveMultiple(rows) => rows,
            other => panic!("{other:?}"),
        }
    }
}

impl Answer {
    pub fn envelope(&self) -> Envelope {
        Envelope::read(&self.text, &Limits::default())
            .unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    pub fn said(&self) -> Said {
        assert_eq!(self.status, 200, "{}", self.text);
        Said::read(&self.envelope().body).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    pub fn fault(&self) -> Fault {
        assert_ne!(self.status, 200, "{}", self.text);
        Fault::read(&self.envelope().body).unwrap().unwrap_or_else(|| panic!("no fault: {}", self.text))
    }
}

/// The namespaces that the bodies of these tests use; the first is that of the operations.
pub const NS: &str = "xmlns=\"http://schemas.microsoft.com/xrm/2011/Contracts/Services\" \
    xmlns:b=\"http://schemas.microsoft.com/xrm/2011/Contracts\" \
    xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:d=\"http://www.w3.org/2001/XMLSchema\" \
    xmlns:g=\"http://schemas.microsoft.com/2003/10/Serialization/\" \
    xmlns:crm=\"http://schemas.microsoft.com/crm/2011/Contracts\" \
    xmlns:c=\"http://schemas.datacontract.org/2004/07/System.Collections.Generic\" \
    xmlns:arr=\"http://schemas.microsoft.com/2003/10/Serialization/Arrays\" \
    xmlns:c12=\"http://schemas.microsoft.com/xrm/2012/Contracts\" \
    xmlns:md=\"http://schemas.microsoft.com/xrm/2011/Metadata\" \
    xmlns:mdq=\"http://schemas.microsoft.com/xrm/2011/Metadata/Query\" \
    xmlns:k7=\"http://schemas.microsoft.com/xrm/7.1/Contracts\"";

pub fn envelope(soap: Soap, body: &str) -> String {
    let header = match soap {
        Soap::V11 => String::new(),
        Soap::V12 => {
            "<s:Header xmlns:a=\"http://www.w3.org/2005/08/addressing\"><a:Action s:mustUnderstand=\"1\">x\
                      </a:Action><a:MessageID>urn:uuid:1</a:MessageID></s:Header>"
                .to_owned()
        }
    };
    format!("<s:Envelope xmlns:s=\"{}\">{header}<s:Body>{body}</s:Body></s:Envelope>", soap.ns())
}

pub fn message(name: &str, parameters: &str) -> String {
    format!(
        "<Execute {NS}><request><b:Parameters>{parameters}</b:Parameters><b:RequestId i:nil=\"true\"/>\
         <b:RequestName>{name}</b:RequestName></request></Execute>"
    )
}

/// A pair of an attribute or parameter.
pub fn pair(key: &str, kind: &str, inner: &str) -> String {
    format!(
        "<b:KeyValuePairOfstringanyType><c:key>{key}</c:key><c:value i:type=\"{kind}\">{inner}</c:value>\
         </b:KeyValuePairOfstringanyType>"
    )
}

pub fn text(key: &str, value: &str) -> String {
    pair(key, "d:string", value)
}

pub fn entity(table: &str, id: Uuid, attributes: &str) -> String {
    format!(
        "<b:Attributes>{attributes}</b:Attributes><b:EntityState i:nil=\"true\"/><b:FormattedValues/><b:Id>{id}</b:Id>\
         <b:LogicalName>{table}</b:LogicalName><b:RelatedEntities/>"
    )
}

pub fn reference(table: &str, id: Uuid) -> String {
    format!("<b:Id>{id}</b:Id><b:LogicalName>{table}</b:LogicalName><b:Name i:nil=\"true\"/>")
}

pub fn column_set(columns: &[&str]) -> String {
    let all = columns == ["*"];
    let names: String = columns.iter().map(|name| format!("<arr:string>{name}</arr:string>")).collect();
    format!(
        "<b:AllColumns>{all}</b:AllColumns><b:Columns>{}</b:Columns>",
        if all { String::new() } else { names }
    )
}

pub fn named(entity: &Entity, column: &str) -> Option<String> {
    match entity.get(column)? {
        Any::String(text) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    }
}
