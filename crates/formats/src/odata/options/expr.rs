//! The tree of a condition, and the parser that all options share.
//!
//! Recursive descent over [`Lexer`]'s tokens; every level that can nest counts against [`MAX_DEPTH`], chains of `and` and
//! `or` are flat. Error texts are those of the platform's own parser.

use super::lex::{Lexer, Token};
use super::literal::Literal;
use crate::odata::{Error, MAX_DEPTH};

/// Names with slashes between them: `primarycontactid/createdby/fullname`.
pub type Names = Vec<String>;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Operand, Sign, Operand),
    /// A boolean property or literal that stands alone.
    Is(Operand),
    /// `contains(subject,pattern)` and its like.
    Match {
        how: Match,
        subject: Operand,
        pattern: Operand,
    },
    /// A query function: `path/Microsoft.Dynamics.CRM.name(…)`; the path is a lambda's variable or empty.
    Function {
        path: Names,
        name: String,
        parameters: Vec<(String, Operand)>,
    },
    /// `path/any(variable:body)`; a body of `None` is true.
    Lambda {
        path: Names,
        all: bool,
        variable: String,
        body: Option<Box<Expr>>,
    },
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Path(Names),
    Literal(Literal),
}

/// `eq`, `ne` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

/// How a text is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    Contains,
    StartsWith,
    EndsWith,
}

impl Sign {
    fn of(word: &str) -> Option<Sign> {
        Some(match word {
            "eq" => Sign::Eq,
            "ne" => Sign::Ne,
            "gt" => Sign::Gt,
            "ge" => Sign::Ge,
            "lt" => Sign::Lt,
            "le" => Sign::Le,
            _ => return None,
        })
    }
}

/// `@p1=…`: what the parameters of a query string stand for, as text. The names have no sign.
pub type Aliases = Vec<(String, String)>;

/// How much text aliases may put into one option; without it, a long alias used often would be a bomb.
const MAX_ALIASED: usize = 4 * crate::odata::MAX_TEXT;

/// Reads one option's text.
#[derive(Debug)]
pub(crate) struct Parser<'t> {
    lexer: Lexer<'t>,
    pub token: Token<'t>,
    /// Where `token` starts, in bytes.
    start: usize,
    depth: usize,
    aliases: &'t [(String, String)],
    aliased: usize,
}

impl<'t> Parser<'t> {
    pub fn new(text: &'t str, aliases: &'t [(String, String)]) -> Result<Self, Error> {
        let mut lexer = Lexer::new(text);
        let (start, token) = lexer.next()?;
        Ok(Parser { lexer, token, start, depth: 0, aliases, aliased: 0 })
    }

    /// Takes the current token and reads the next.
    pub fn take(&mut self) -> Result<Token<'t>, Error> {
        let (start, next) = self.lexer.next()?;
        self.start = start;
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Takes the sign when it is there.
    pub fn sign(&mut self, sign: char) -> Result<bool, Error> {
        let there = self.token == Token::Sign(sign);
        if there {
            self.take()?;
        }
        Ok(there)
    }

    pub fn expect(&mut self, sign: char) -> Result<(), Error> {
        match self.sign(sign)? {
            true => Ok(()),
            false if sign == ')' => Err(self.fail("')' or operator expected")),
            false => Err(self.fail(&format!("'{sign}' expected"))),
        }
    }

    pub fn end(&self) -> Result<(), Error> {
        if self.token == Token::End { Ok(()) } else { Err(self.syntax()) }
    }

    /// Where the current token starts, in bytes.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The text from there to the current token.
    pub fn since(&self, start: usize) -> &'t str {
        &self.lexer.text[start..self.start]
    }

    pub fn fail(&self, what: &str) -> Error {
        Error::at(what, self.lexer.text, self.start)
    }

    pub fn syntax(&self) -> Error {
        Error::syntax(self.lexer.text, self.start)
    }

    /// Runs `inner` one level deeper.
    pub fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::too_deep());
        }
        self.depth += 1;
        let value = inner(self);
        self.depth -= 1;
        value
    }

    /// A plain word.
    pub fn word(&mut self) -> Result<&'t str, Error> {
        match self.token {
            Token::Word(word) => self.take().map(|_| word),
            _ => Err(self.syntax()),
        }
    }

    fn is_word(&self, word: &str) -> bool {
        self.token == Token::Word(word)
    }

    /// A whole condition.
    pub fn condition(&mut self) -> Result<Expr, Error> {
        self.nested(|parser| {
            parser.chain("or", |parser| parser.chain("and", Self::unary, Expr::And), Expr::Or)
        })
    }

    fn chain(
        &mut self,
        word: &str,
        part: impl Fn(&mut Self) -> Result<Expr, Error>,
        join: impl Fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, Error> {
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.is_word(word) {
            self.take()?;
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn unary(&mut self) -> Result<Expr, Error> {
        if self.is_word("not") {
            self.take()?;
            return self.nested(|parser| Ok(Expr::Not(Box::new(parser.unary()?))));
        }
        if self.sign('(')? {
            let inner = self.condition()?;
            self.expect(')')?;
            return self.judged(inner);
        }
        self.comparison()
    }

    /// `contains(…) eq true`: some clients compare what is a condition already.
    fn judged(&mut self, condition: Expr) -> Result<Expr, Error> {
        let Token::Word(word) = self.token else { return Ok(condition) };
        let negated = match word {
            "eq" => false,
            "ne" => true,
            _ => return Ok(condition),
        };
        self.take()?;
        let Token::Literal(Literal::Bool(value)) = self.token else { return Err(self.syntax()) };
        self.take()?;
        Ok(if value != negated { condition } else { Expr::Not(Box::new(condition)) })
    }

    fn comparison(&mut self) -> Result<Expr, Error> {
        let Token::Word(_) = self.token else {
            let left = self.operand()?;
            return self.compared(left);
        };
        let mut path: Names = Vec::new();
        loop {
            let start = self.start;
            let name = self.word()?;
            if self.token == Token::Sign('(') {
                let call = self.call(path, name, start)?;
                return self.judged(call);
            }
            path.push(name.to_owned());
            if !self.sign('/')? {
                return self.compared(Operand::Path(path));
            }
        }
    }

    fn compared(&mut self, left: Operand) -> Result<Expr, Error> {
        if let Token::Word(word) = self.token
            && let Some(sign) = Sign::of(word)
        {
            self.take()?;
            return Ok(Expr::Compare(left, sign, self.operand()?));
        }
        match left {
            Operand::Path(_) | Operand::Literal(Literal::Bool(_)) => Ok(Expr::Is(left)),
            Operand::Literal(_) if self.token == Token::End => {
                Err(Error::bad("The $filter expression must evaluate to a single boolean value."))
            }
            Operand::Literal(_) => Err(self.syntax()),
        }
    }

    /// What stands in front of an open parenthesis.
    fn call(&mut self, path: Names, name: &str, start: usize) -> Result<Expr, Error> {
        let how = match name {
            "any" | "all" if !path.is_empty() => return self.lambda(path, name == "all"),
            "contains" => Match::Contains,
            "startswith" => Match::StartsWith,
            "endswith" => Match::EndsWith,
            _ => return self.function(path, name, start),
        };
        if !path.is_empty() {
            return Err(Error::syntax(self.lexer.text, start));
        }
        self.expect('(')?;
        let subject = self.operand()?;
        self.expect(',')?;
        let pattern = self.operand()?;
        self.expect(')')?;
        Ok(Expr::Match { how, subject, pattern })
    }

    fn lambda(&mut self, path: Names, all: bool) -> Result<Expr, Error> {
        self.expect('(')?;
        if !all && self.sign(')')? {
            return Ok(Expr::Lambda { path, all, variable: String::new(), body: None });
        }
        let variable = self.word()?.to_owned();
        self.expect(':')?;
        let body = Some(Box::new(self.condition()?));
        self.expect(')')?;
        Ok(Expr::Lambda { path, all, variable, body })
    }

    fn function(&mut self, path: Names, name: &str, start: usize) -> Result<Expr, Error> {
        let Some(name) = crate::odata::path::unqualified(name) else {
            let what = format!(
                "An unknown function with name '{name}' was found. This may also be a function import or a key lookup \
                 on a navigation property, which is not allowed,"
            );
            return Err(Error::at(&what, self.lexer.text, start));
        };
        self.expect('(')?;
        let mut parameters = Vec::new();
        while !self.sign(')')? {
            if !parameters.is_empty() {
                self.expect(',')?;
            }
            let parameter = self.word()?.to_owned();
            self.expect('=')?;
            parameters.push((parameter, self.operand()?));
        }
        Ok(Expr::Function { path, name: name.to_owned(), parameters })
    }

    /// A literal, a property path, or the alias of either.
    pub fn operand(&mut self) -> Result<Operand, Error> {
        match self.token {
            Token::Word(_) => self.names().map(Operand::Path),
            Token::Literal(_) | Token::Sign('[') => self.literal().map(Operand::Literal),
            Token::Alias(name) => {
                let operand = self.aliased(name)?;
                self.take()?;
                Ok(operand)
            }
            _ => Err(self.fail("Expression expected")),
        }
    }

    fn aliased(&mut self, name: &str) -> Result<Operand, Error> {
        let Some((_, text)) = self.aliases.iter().find(|(alias, _)| alias == name) else {
            return Err(
                self.fail(&format!("The parameter alias '@{name}' has no value: expression expected"))
            );
        };
        self.aliased += text.len();
        if self.aliased > MAX_ALIASED {
            return Err(Error::too_long("text of all parameter aliases"));
        }
        // An alias stands for no other alias: nothing here can go in circles.
        let mut parser = Parser::new(text, &[])?;
        let operand = parser.operand()?;
        parser.end().map(|()| operand)
    }

    /// `a/b/c`.
    pub fn names(&mut self) -> Result<Names, Error> {
        let mut names = vec![self.word()?.to_owned()];
        while self.sign('/')? {
            names.push(self.word()?.to_owned());
        }
        Ok(names)
    }

    /// A value, or a list of values.
    pub fn literal(&mut self) -> Result<Literal, Error> {
        if !self.sign('[')? {
            return match self.take()? {
                Token::Literal(literal) => Ok(literal),
                Token::Alias(name) => Ok(Literal::Alias(name.to_owned())),
                _ => Err(self.fail("Expression expected")),
            };
        }
        let mut items = Vec::new();
        while !self.sign(']')? {
            if !items.is_empty() {
                self.expect(',')?;
            }
            items.push(self.nested(Self::literal)?);
        }
        Ok(Literal::List(items))
    }
}
