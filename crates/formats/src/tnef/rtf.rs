//! RTF to the HTML it encapsulates (MS-OXRTFEX), or to plain text.
//!
//! Only what Outlook's bodies need: text, characters, fonts' charsets, and the encapsulation words. Layout is dropped.

use std::collections::HashMap;

use super::codepage::Codepage;

/// What an RTF body turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Converted {
    Html(String),
    Text(String),
}

/// Converts RTF bytes; `codepage` is for documents that name none.
pub(super) fn convert(rtf: &[u8], codepage: Codepage) -> Converted {
    let mut converter = Converter::new(codepage);
    let mut tokens = Tokens { rtf, at: 0 };
    while let Some(token) = tokens.next_token() {
        if let Token::Word("bin", Some(length)) = token {
            tokens.at = tokens.at.saturating_add(usize::try_from(length).unwrap_or(0));
            continue;
        }
        converter.take(&token);
    }
    converter.finish()
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'b> {
    Open,
    Close,
    Word(&'b str, Option<i32>),
    /// `\*`: the destination may be skipped by readers that do not know it.
    Ignorable,
    /// A byte in the code page, written `\'hh` or as it is.
    Byte(u8),
    /// `\~`, `\-`, `\{` …
    Symbol(u8),
}

struct Tokens<'b> {
    rtf: &'b [u8],
    at: usize,
}

impl<'b> Tokens<'b> {
    fn next_token(&mut self) -> Option<Token<'b>> {
        loop {
            let byte = *self.rtf.get(self.at)?;
            self.at += 1;
            return Some(match byte {
                b'{' => Token::Open,
                b'}' => Token::Close,
                b'\\' => return self.control(),
                b'\r' | b'\n' | 0 => continue,
                byte => Token::Byte(byte),
            });
        }
    }

    fn control(&mut self) -> Option<Token<'b>> {
        let first = *self.rtf.get(self.at)?;
        if first.is_ascii_alphabetic() {
            return Some(self.word());
        }
        self.at += 1;
        Some(match first {
            b'*' => Token::Ignorable,
            b'\'' => {
                let digits = self.rtf.get(self.at..self.at + 2).and_then(|two| std::str::from_utf8(two).ok());
                let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                self.at += if value.is_some() { 2 } else { 0 };
                Token::Byte(value.unwrap_or(b'?'))
            }
            b'\r' | b'\n' => Token::Word("par", None),
            other => Token::Symbol(other),
        })
    }

    fn word(&mut self) -> Token<'b> {
        let start = self.at;
        self.at += self.rtf[start..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = std::str::from_utf8(&self.rtf[start..self.at]).unwrap_or_default();
        let digits = self.at;
        let sign = usize::from(self.rtf.get(self.at) == Some(&b'-'));
        let count = self.rtf[digits..].iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
        let end = if count == 0 { digits } else { digits + sign + count };
        let number = std::str::from_utf8(&self.rtf[digits..end]).ok().and_then(|number| number.parse().ok());
        self.at = end;
        // One blank ends the word and is not text.
        self.at += usize::from(self.rtf.get(self.at) == Some(&b' '));
        Token::Word(word, number)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    /// `{\*\htmltag …}`: HTML as it was.
    HtmlTag,
    FontTable,
    Skipped,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    place: Place,
    /// Between `\htmlrtf` and `\htmlrtf0`: for RTF readers only.
    rtf_only: bool,
    /// How many characters after `\uN` stand in for it.
    fallback: usize,
    codepage: Codepage,
}

/// Deeper groups than this are read as if they were flat.
const DEPTH: usize = 1000;

struct Converter {
    out: String,
    pending: Vec<u8>,
    group: Group,
    stack: Vec<Group>,
    /// Groups beyond [`DEPTH`].
    beyond: usize,
    fonts: HashMap<i32, Codepage>,
    font_defined: i32,
    document: Codepage,
    ignorable: bool,
    to_skip: usize,
    surrogate: Option<u16>,
    from_html: bool,
}

impl Converter {
    fn new(codepage: Codepage) -> Self {
        let group = Group { place: Place::Body, rtf_only: false, fallback: 1, codepage };
        Converter {
            out: String::new(),
            pending: Vec::new(),
            group,
            stack: Vec::new(),
            beyond: 0,
            fonts: HashMap::new(),
            font_defined: 0,
            document: codepage,
            ignorable: false,
            to_skip: 0,
            surrogate: None,
            from_html: false,
        }
    }

    fn take(&mut self, token: &Token<'_>) {
        let was_ignorable = std::mem::take(&mut self.ignorable);
        match *token {
            Token::Open => self.open(),
            Token::Close => self.close(),
            Token::Ignorable => self.ignorable = true,
            Token::Byte(_) | Token::Symbol(_) if self.to_skip > 0 => self.to_skip -= 1,
            Token::Byte(byte) => self.byte(byte),
            Token::Symbol(symbol) => self.symbol(symbol),
            Token::Word(word, number) => self.word(word, number, was_ignorable),
        }
    }

    fn open(&mut self) {
        self.flush();
        self.to_skip = 0;
        if self.stack.len() < DEPTH {
            self.stack.push(self.group);
        } else {
            self.beyond += 1;
        }
    }

    fn close(&mut self) {
        self.flush();
        self.to_skip = 0;
        if self.beyond > 0 {
            self.beyond -= 1;
        } else if let Some(group) = self.stack.pop() {
            self.group = group;
        }
    }

    fn is_written(&self) -> bool {
        match self.group.place {
            Place::HtmlTag => self.from_html,
            Place::Body => !(self.from_html && self.group.rtf_only),
            Place::FontTable | Place::Skipped => false,
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.is_written() {
            self.pending.push(byte);
        }
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'~' => self.text(if self.from_html { "&nbsp;" } else { "\u{a0}" }),
            b'_' => self.text(if self.from_html { "&shy;" } else { "-" }),
            b'{' | b'}' | b'\\' => self.byte(symbol),
            _ => {}
        }
    }

    fn word(&mut self, word: &str, number: Option<i32>, ignorable: bool) {
        if word != "u" {
            self.surrogate = None;
        }
        match word {
            "fromhtml" => self.from_html = number != Some(0),
            "htmltag" if ignorable => self.group.place = Place::HtmlTag,
            "htmlrtf" => {
                self.flush();
                self.group.rtf_only = number != Some(0);
            }
            "ansicpg" => self.set_document(number),
            "uc" => self.group.fallback = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(16),
            "u" => self.unicode(number.unwrap_or(0)),
            "f" => self.font(number.unwrap_or(0)),
            "fcharset" => self.font_charset(number.unwrap_or(0)),
            "fonttbl" => self.group.place = Place::FontTable,
            "colortbl" | "stylesheet" | "info" | "pict" | "object" | "header" | "footer" | "footnote" => {
                self.group.place = Place::Skipped;
            }
            _ if ignorable => self.group.place = Place::Skipped,
            _ => self.character(word),
        }
    }

    fn set_document(&mut self, number: Option<i32>) {
        if let Some(number) =
            number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0)
        {
            self.document = Codepage::of(number);
            self.group.codepage = self.document;
        }
    }

    fn font(&mut self, font: i32) {
        if self.group.place == Place::FontTable {
            self.font_defined = font;
            return;
        }
        self.flush();
        self.group.codepage = self.fonts.get(&font).copied().unwrap_or(self.document);
    }

    fn font_charset(&mut self, charset: i32) {
        if let Some(codepage) =
            Codepage::of_font_charset(charset).filter(|_| self.group.place == Place::FontTable)
        {
            self.fonts.insert(self.font_defined, codepage);
        }
    }

    /// A UTF-16 unit, written as a signed number; pairs make one character.
    fn unicode(&mut self, number: i32) {
        let unit = (number & 0xffff) as u16;
        self.flush();
        self.to_skip = self.group.fallback;
        let units: Vec<u16> = self.surrogate.take().into_iter().chain([unit]).collect();
        if (0xd800..0xdc00).contains(&unit) {
            self.surrogate = Some(unit);
            return;
        }
        let letters: String =
            char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        self.text(&letters);
    }

    fn character(&mut self, word: &str) {
        let (html, plain) = match word {
            "par" | "line" | "sect" | "page" => ("\r\n", "\n"),
            "row" => ("\r\n", "\n"),
            "tab" | "cell" => ("\t", "\t"),
            "lquote" => ("&lsquo;", "\u{2018}"),
            "rquote" => ("&rsquo;", "\u{2019}"),
            "ldblquote" => ("&ldquo;", "\u{201c}"),
            "rdblquote" => ("&rdquo;", "\u{201d}"),
            "bullet" => ("&bull;", "\u{2022}"),
            "endash" => ("&ndash;", "\u{2013}"),
            "emdash" => ("&mdash;", "\u{2014}"),
            _ => return,
        };
        self.text(if self.from_html { html } else { plain });
    }

    fn text(&mut self, text: &str) {
        self.flush();
        if self.is_written() {
            self.out.push_str(text);
        }
    }

    /// Bytes wait until their run ends: a character may take two of them.
    fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.out.push_str(&self.group.codepage.decode(&self.pending));
            self.pending.clear();
        }
    }

    fn finish(mut self) -> Converted {
        self.flush();
        if self.from_html { Converted::Html(self.out) } else { Converted::Text(self.out.trim().to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn text(rtf: &str, expected: &str) {
        assert_eq!(convert(rtf.as_bytes(), Codepage::default()), Converted::Text(expected.to_owned()));
    }

    #[track_caller]
    fn html(rtf: &str, expected: &str) {
        assert_eq!(convert(rtf.as_bytes(), Codepage::default()), Converted::Html(expected.to_owned()));
    }

    #[test]
    fn plain_text() {
        text(
            r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\colortbl;\red0;}\pard Hello\par W\'f6rld\tab x}",
            "Hello\nWörld\tx",
        );
        text(r"{\rtf1 a{\*\unknown b}c \{d\}}", "ac {d}");
        text(r"{\rtf1\uc1 \u8364?5 \u-10179?\u-8704?}", "€5 😀");
        text(r"{\rtf1\bin3 {{{x}", "x");
    }

    #[test]
    fn charsets_of_fonts() {
        text(
            r"{\rtf1\ansicpg1252{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}{\f2\fcharset128 C;}}\f1\'cf\'f0\f2\'93\'fa\f0\'e9}",
            "Пр日é",
        );
    }

    #[test]
    fn encapsulated_html() {
        html(
            r"{\rtf1\ansi\fromhtml1{\*\htmltag19 <html>}{\*\htmltag50 <body>}\htmlrtf {\pard \htmlrtf0 a&b\htmlrtf\par}\htmlrtf0{\*\htmltag84 <br>\par}{\*\mhtmltag84 no}\'e9{\*\htmltag58 </body>}}",
            "<html><body>a&b<br>\r\né</body>",
        );
    }

    #[test]
    fn deep_groups_do_no_harm() {
        let rtf = "{".repeat(100_000) + "x" + &"}".repeat(100_000);
        text(&rtf, "x");
    }
}
