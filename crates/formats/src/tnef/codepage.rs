//! Windows code pages by number, as TNEF and RTF name them.

use encoding_rs::Encoding;

/// An encoding to decode narrow strings with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codepage(&'static Encoding);

impl Default for Codepage {
    fn default() -> Self {
        Codepage(encoding_rs::WINDOWS_1252)
    }
}

impl Codepage {
    /// By number; an unknown one (the DOS pages, EBCDIC) is read as windows-1252, where ASCII at least is right.
    pub(super) fn of(number: u32) -> Self {
        let label = match number {
            65001 => "utf-8".to_owned(),
            932 => "shift_jis".to_owned(),
            936 => "gbk".to_owned(),
            949 | 51949 => "euc-kr".to_owned(),
            950 => "big5".to_owned(),
            874 | 1250..=1258 => format!("windows-{number}"),
            28591..=28606 => format!("iso-8859-{}", number - 28590),
            20866 => "koi8-r".to_owned(),
            21866 => "koi8-u".to_owned(),
            10000 => "macintosh".to_owned(),
            20932 | 51932 => "euc-jp".to_owned(),
            50220..=50222 => "iso-2022-jp".to_owned(),
            54936 => "gb18030".to_owned(),
            _ => return Codepage::default(),
        };
        Encoding::for_label(label.as_bytes()).map_or_else(Codepage::default, Codepage)
    }

    /// The attribute `attOemCodepage`: the first of two numbers.
    pub(super) fn of_bytes(data: &[u8]) -> Self {
        Codepage::of(super::stream::number(data))
    }

    /// RTF `\fcharsetN`; `None` where it leaves the document's code page.
    pub(super) fn of_font_charset(charset: i32) -> Option<Self> {
        let number = match charset {
            77 => 10000,
            128 => 932,
            129 => 949,
            134 => 936,
            136 => 950,
            161 => 1253,
            162 => 1254,
            163 => 1258,
            177 => 1255,
            178 => 1256,
            186 => 1257,
            204 => 1251,
            222 => 874,
            238 => 1250,
            _ => return None,
        };
        Some(Codepage::of(number))
    }

    pub(super) fn decode(self, bytes: &[u8]) -> String {
        self.0.decode_without_bom_handling(bytes).0.into_owned()
    }
}
