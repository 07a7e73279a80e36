//! TNEF files built here, cut off, garbled and limited.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure is the test's")]

use postroom_formats::tnef::{Damage, Error, Limits, Message, decode, is_tnef};
use proptest::prelude::*;

/// Writes TNEF: the counterpart of the reader, kept as plain as the format.
struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        Writer([&[0x78, 0x9f, 0x3e, 0x22, 1, 0][..]].concat())
    }

    fn attribute(mut self, level: u8, id: u32, data: &[u8]) -> Self {
        let sum = data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        self.0.push(level);
        self.0.extend(id.to_le_bytes());
        self.0.extend((data.len() as u32).to_le_bytes());
        self.0.extend(data);
        self.0.extend(sum.to_le_bytes());
        self
    }

    fn message(self, id: u32, data: &[u8]) -> Self {
        self.attribute(1, id, data)
    }

    fn attachment(self, name: &str, data: &[u8], props: &[Prop]) -> Self {
        let file = self.attribute(2, 0x0006_9002, &[0; 14]).attribute(2, 0x0001_8010, &nul(name));
        let file = file.attribute(2, 0x0006_800f, data);
        if props.is_empty() { file } else { file.attribute(2, 0x0006_9005, &list(props)) }
    }
}

enum Prop<'d> {
    Narrow(u16, &'d str),
    Wide(u16, &'d str),
    Binary(u16, &'d [u8]),
    Object(u16, &'d [u8]),
    Long(u16, u32),
    NamedById(u32),
    NamedByName(&'d str),
    ManyLongs(u16, &'d [u32]),
}

fn nul(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn sized(data: &[u8]) -> Vec<u8> {
    let padding = vec![0; data.len().wrapping_neg() % 4];
    [&(data.len() as u32).to_le_bytes(), data, &padding].concat()
}

fn counted(data: &[u8]) -> Vec<u8> {
    [&1_u32.to_le_bytes()[..], &sized(data)].concat()
}

fn list(props: &[Prop]) -> Vec<u8> {
    let head = |kind: u16, id: u16| [kind.to_le_bytes(), id.to_le_bytes()].concat();
    let mut out = (props.len() as u32).to_le_bytes().to_vec();
    for prop in props {
        out.extend(match prop {
            Prop::Narrow(id, text) => [head(0x1e, *id), counted(&nul(text))].concat(),
            Prop::Wide(id, text) => [head(0x1f, *id), counted(&wide(text))].concat(),
            Prop::Binary(id, data) => [head(0x102, *id), counted(data)].concat(),
            Prop::Object(id, data) => [head(0x0d, *id), counted(data)].concat(),
            Prop::Long(id, number) => [head(3, *id), number.to_le_bytes().to_vec()].concat(),
            Prop::NamedById(number) => {
                let name = [&[7; 16][..], &0_u32.to_le_bytes(), &number.to_le_bytes()].concat();
                [head(3, 0x8001), name, 5_u32.to_le_bytes().to_vec()].concat()
            }
            Prop::NamedByName(name) => {
                let name = [&[7; 16][..], &1_u32.to_le_bytes(), &sized(&wide(name))].concat();
                [head(0x1f, 0x8002), name, counted(&wide("value"))].concat()
            }
            Prop::ManyLongs(id, numbers) => {
                let values: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                [head(0x1003, *id), (numbers.len() as u32).to_le_bytes().to_vec(), values].concat()
            }
        });
    }
    out
}

/// RTF as `MELA`: not compressed, in the same wrapping.
fn stored_rtf(rtf: &str) -> Vec<u8> {
    let size = (rtf.len() as u32).to_le_bytes();
    [&size[..], &size, b"MELA", &[0; 4], rtf.as_bytes()].concat()
}

/// RTF as `LZFu` with literals only.
fn packed_rtf(rtf: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for run in rtf.as_bytes().chunks(8) {
        body.push(0);
        body.extend(run);
    }
    let size = (rtf.len() as u32).to_le_bytes();
    [&size[..], &size, b"LZFu", &[0; 4], &body].concat()
}

fn read(bytes: &[u8]) -> Message {
    decode(bytes, &Limits::default()).unwrap()
}

const EMBEDDED: [u8; 16] = [0x07, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

fn sample() -> Vec<u8> {
    let inner = Writer::new().message(0x0001_8004, &nul("inner")).0;
    let object = [&EMBEDDED[..], &inner].concat();
    let props = list(&[
        Prop::NamedById(0x8005),
        Prop::NamedByName("keywords"),
        Prop::ManyLongs(0x1234, &[1, 2, 3]),
        Prop::Wide(0x37, "Größe"),
        Prop::Narrow(0x1035, "<1@x.example>"),
        Prop::Binary(0x1009, &packed_rtf(r"{\rtf1\ansi\fromhtml1{\*\htmltag <p>}x\'e9{\*\htmltag </p>}}")),
        Prop::Long(0x3fde, 65001),
    ]);
    Writer::new()
        .message(0x0008_9006, &[0, 0, 1, 0])
        .message(0x0006_9007, &[0xe4, 4, 0, 0, 0, 0, 0, 0])
        .message(0x0007_8008, &nul("IPM.Note"))
        .message(0x0002_800c, b"plain body\0")
        .message(0x0006_9003, &props)
        .attachment(
            "REPORT~1.PDF",
            b"%PDF-1.4",
            &[
                Prop::Wide(0x3707, "Report 2024.pdf"),
                Prop::Narrow(0x370e, "application/pdf"),
                Prop::Narrow(0x3712, "<cid1@x.example>"),
            ],
        )
        .attachment("plain.txt", b"text", &[])
        .attachment("inner", b"", &[Prop::Object(0x3701, &object)])
        .0
}

#[test]
fn a_whole_message() {
    let message = read(&sample());
    assert_eq!(message.damage, None);
    assert_eq!(message.wrong_checksums, 0);
    assert_eq!(message.class.as_deref(), Some("IPM.Note"));
    assert_eq!(message.subject.as_deref(), Some("Größe"));
    assert_eq!(message.message_id.as_deref(), Some("<1@x.example>"));
    assert_eq!(message.text.as_deref(), Some("plain body"));
    assert_eq!(message.html.as_deref(), Some("<p>xé</p>"));
    let names: Vec<_> = message.attachments.iter().map(|file| file.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["Report 2024.pdf", "plain.txt", "inner"]);
    let pdf = &message.attachments[0];
    assert_eq!(
        (pdf.content_type.as_deref(), pdf.data.as_slice()),
        (Some("application/pdf"), &b"%PDF-1.4"[..])
    );
    assert_eq!(pdf.content_id.as_deref(), Some("cid1@x.example"));
    let inner = &message.attachments[2];
    assert!(inner.embedded_message && is_tnef(&inner.data));
    assert_eq!(inner.content_type.as_deref(), Some("application/ms-tnef"));
    assert_eq!(read(&inner.data).subject.as_deref(), Some("inner"));
}

#[test]
fn bodies() {
    let html = |props: &[Prop]| read(&Writer::new().message(0x0006_9003, &list(props)).0);
    assert_eq!(html(&[Prop::Binary(0x1013, b"<b>x</b>")]).html.as_deref(), Some("<b>x</b>"));
    let cyrillic = [Prop::Binary(0x1013, b"\xcf\xf0"), Prop::Long(0x3fde, 1251)];
    assert_eq!(html(&cyrillic).html.as_deref(), Some("Пр"));
    let rtf = stored_rtf(r"{\rtf1 plain\par text}");
    assert_eq!(html(&[Prop::Binary(0x1009, &rtf)]).text.as_deref(), Some("plain\ntext"));
    assert_eq!(html(&[Prop::Binary(0x1009, b"junk")]).damage, Some(Damage::CompressedBody));
}

#[test]
fn code_pages() {
    let file = Writer::new()
        .message(0x0006_9007, &932_u32.to_le_bytes())
        .message(0x0001_8004, b"\x93\xfa\x96\x7b\0");
    assert_eq!(read(&file.0).subject.as_deref(), Some("日本"));
}

#[test]
fn wrong_checksums_are_counted_and_borne() {
    let mut file = Writer::new().message(0x0001_8004, &nul("x")).0;
    let last = file.len() - 1;
    file[last] ^= 0xff;
    let message = read(&file);
    assert_eq!((message.wrong_checksums, message.subject.as_deref()), (1, Some("x")));
}

#[test]
fn damage_keeps_what_came_before() {
    let whole = sample();
    let cut = read(&whole[..whole.len() - 1]);
    assert_eq!((cut.damage, cut.attachments.len()), (Some(Damage::Truncated), 3));
    let garbled = [&whole[..], b"\x07junk"].concat();
    assert_eq!(read(&garbled).damage, Some(Damage::Garbled(whole.len())));
    let broken = Writer::new().message(0x0006_9003, &[9, 0, 0, 0, 1]).attachment("a", b"b", &[]).0;
    let broken = read(&broken);
    assert_eq!((broken.damage, broken.attachments.len()), (Some(Damage::Properties), 1));
    assert_eq!(read(&[&whole[..], &[0; 9]].concat()).damage, None, "padding is no damage");
}

#[test]
fn other_files_are_refused() {
    assert_eq!(decode(b"PK\x03\x04", &Limits::default()), Err(Error::NotTnef));
    assert_eq!(decode(b"", &Limits::default()), Err(Error::NotTnef));
}

#[test]
fn limits_hold() {
    let limits = Limits { decoded_bytes: 60, attachments: 2 };
    let file =
        |size: usize| (0..3).fold(Writer::new(), |file, _| file.attachment("a", &vec![b'x'; size], &[])).0;
    let many = decode(&file(1), &limits).unwrap();
    assert_eq!((many.attachments.len(), many.damage), (2, Some(Damage::TooManyAttachments(2))));
    let large = decode(&file(40), &limits).unwrap();
    assert_eq!(large.damage, Some(Damage::TooManyBytes(60)));
    assert!(large.attachments.iter().map(|file| file.data.len()).sum::<usize>() <= 60);
}

#[test]
fn every_truncation_is_read() {
    let whole = sample();
    for end in 6..whole.len() {
        let message = read(&whole[..end]);
        assert!(message.attachments.len() <= 3);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let file = [&[0x78, 0x9f, 0x3e, 0x22, 0, 0][..], &bytes].concat();
        let _ = decode(&bytes, &Limits::default());
        let _ = decode(&file, &Limits::default());
    }

    #[test]
    fn no_damage_panics(places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut file = sample();
        for (place, byte) in places {
            let place = place.index(file.len() - 6) + 6;
            file[place] = byte;
        }
        let _ = decode(&file, &Limits::default());
    }

    #[test]
    fn no_rtf_panics(rtf in "(\\\\[a-z]{1,6}-?[0-9]{0,5} ?|[{}]|\\\\'[0-9a-f]{2}|\\\\u-?[0-9]{1,5}\\?|x|\\\\\\*){0,60}") {
        let props = list(&[Prop::Binary(0x1009, &stored_rtf(&rtf))]);
        read(&Writer::new().message(0x0006_9003, &props).0);
    }

    #[test]
    fn packed_text_comes_back(text in "[ -~]{0,200}") {
        let escaped = text.replace('\\', "\\\\").replace('{', "\\{").replace('}', "\\}");
        let props = list(&[Prop::Binary(0x1009, &packed_rtf(&format!("{{\\rtf1 {escaped}}}")))]);
        let message = read(&Writer::new().message(0x0006_9003, &props).0);
        prop_assert_eq!(message.text.unwrap_or_default(), text.trim());
    }
}
