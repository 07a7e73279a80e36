//! Query functions: `Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=7)` (dataverse.md A7).

use postroom_core::metadata::{ColumnInfo, ColumnKind};
use postroom_core::query::{Comparison, Operator};
use postroom_core::{Filter, Value};

use super::filter::matching;
use super::scope::{Resolver, Scope};
use super::value::{Strictness, fitting};
use crate::odata::Error;
use crate::odata::options::{Literal, Match, Operand};

impl<'m> Resolver<'m> {
    pub(super) fn function(
        &mut self,
        scope: &mut Scope<'m>,
        name: &str,
        parameters: &[(String, Operand)],
    ) -> Result<Filter, Error> {
        let given = Given::read(name, parameters)?;
        // The column's own name, or a path; a lambda's variable is not repeated in it.
        let mut path: Vec<String> = given.property.split('/').map(str::to_owned).collect();
        if let Some(variable) = &scope.variable
            && path.first() != Some(variable)
        {
            path.insert(0, variable.clone());
        }
        let column = self.column(scope, &path)?;
        let call = Call { name, column: column.name, info: column.info, values: given.values };
        call.filter()
    }
}

/// The parameters by their roles.
struct Given {
    property: String,
    values: Vec<Literal>,
}

impl Given {
    fn read(name: &str, parameters: &[(String, Operand)]) -> Result<Given, Error> {
        let wrong = |parameter: &str| {
            let parameter = crate::odata::error::clipped(parameter);
            Error::bad(format!("The parameter '{parameter}' of the query function '{name}' cannot be used."))
        };
        let (mut property, mut values) = (None, Vec::new());
        for (parameter, operand) in parameters {
            match (parameter.as_str(), operand) {
                ("PropertyName", Operand::Literal(Literal::Text(text))) => property = Some(text.clone()),
                ("PropertyName", Operand::Path(path)) => property = Some(path.join("/")),
                ("PropertyValues", Operand::Literal(Literal::List(items))) => {
                    values.extend(items.iter().cloned())
                }
                ("PropertyValue" | "PropertyValue1" | "PropertyValue2", Operand::Literal(literal)) => {
                    values.push(literal.clone());
                }
                _ => return Err(wrong(parameter)),
            }
        }
        let property = property.ok_or_else(|| wrong("PropertyName"))?;
        Ok(Given { property, values })
    }
}

/// One call on a column that was found.
struct Call<'c> {
    name: &'c str,
    column: String,
    info: &'c ColumnInfo,
    values: Vec<Literal>,
}

impl Call<'_> {
    fn filter(self) -> Result<Filter, Error> {
        let not = |filter| Ok(Filter::Not(Box::new(filter)));
        let column = self.column.clone();
        match self.name {
            "In" => Ok(Filter::In(column, self.fitted()?)),
            "NotIn" => not(Filter::In(column, self.fitted()?)),
            "Between" => self.between(Comparison::Ge, Comparison::Le, Filter::All),
            "NotBetween" => self.between(Comparison::Lt, Comparison::Gt, Filter::Any),
            "Null" => self.none(Filter::Null(column)),
            "NotNull" => not(self.none(Filter::Null(column))?),
            "Contains" => self.search(Match::Contains),
            "DoesNotContain" => not(self.search(Match::Contains)?),
            "BeginsWith" => self.search(Match::StartsWith),
            "DoesNotBeginWith" => not(self.search(Match::StartsWith)?),
            "EndsWith" => self.search(Match::EndsWith),
            "DoesNotEndWith" => not(self.search(Match::EndsWith)?),
            "Like" => Ok(Filter::Like(column, self.text()?)),
            "NotLike" => not(Filter::Like(column, self.text()?)),
            _ => self.operator(),
        }
    }

    fn fitted(&self) -> Result<Vec<Value>, Error> {
        self.values.iter().map(|value| fitting(self.info, value, Strictness::Loose)).collect()
    }

    fn between(
        &self,
        first: Comparison,
        second: Comparison,
        join: fn(Vec<Filter>) -> Filter,
    ) -> Result<Filter, Error> {
        let values = self.fitted()?;
        let [low, high] = values.as_slice() else { return Err(self.wrong("two values")) };
        let compare =
            |comparison, value: &Value| Filter::Compare(self.column.clone(), comparison, value.clone());
        Ok(join(vec![compare(first, low), compare(second, high)]))
    }

    fn none(&self, filter: Filter) -> Result<Filter, Error> {
        if self.values.is_empty() { Ok(filter) } else { Err(self.wrong("no value")) }
    }

    fn text(&self) -> Result<String, Error> {
        match self.values.as_slice() {
            [Literal::Text(text)] => Ok(text.clone()),
            _ => Err(self.wrong("one text")),
        }
    }

    fn search(&self, how: Match) -> Result<Filter, Error> {
        Ok(matching(self.column.clone(), how, &self.text()?))
    }

    fn operator(self) -> Result<Filter, Error> {
        let unknown = || {
            let (name, namespace) = (crate::odata::error::clipped(self.name), crate::odata::NAMESPACE);
            Error::bad(format!("The query function '{namespace}.{name}' is not known."))
        };
        // Two have names of their own as functions (Web API query function reference).
        let name = match self.name {
            "NotBusinessId" => "NotEqualBusinessId",
            "NotUserId" => "NotEqualUserId",
            name => name,
        };
        let operator = Operator::from_name(name).ok_or_else(unknown)?;
        let (fewest, most) = arity(operator);
        if self.values.len() < fewest || self.values.len() > most {
            let wanted = if most == usize::MAX { format!("at least {fewest}") } else { format!("{fewest}") };
            return Err(self.wrong(&format!("{wanted} values")));
        }
        let values: Result<Vec<Value>, Error> =
            self.values.iter().map(|value| self.argument(operator, value)).collect();
        Ok(Filter::Operator(self.column.clone(), operator, values?))
    }

    /// A value in the form the operator works with: days and guids as what they are, everything else as a number.
    fn argument(&self, operator: Operator, literal: &Literal) -> Result<Value, Error> {
        let value = match (operator, literal) {
            (Operator::On | Operator::NotOn | Operator::OnOrBefore | Operator::OnOrAfter, literal) => {
                return fitting(self.info, literal, Strictness::Loose);
            }
            (
                Operator::Under
                | Operator::UnderOrEqual
                | Operator::NotUnder
                | Operator::Above
                | Operator::AboveOrEqual,
                id,
            ) => id.as_guid().map(Value::Guid),
            (_, Literal::Int(number)) => Some(Value::Int(*number)),
            (_, Literal::Text(text)) => text.trim().parse().ok().map(Value::Int),
            _ => None,
        };
        value.ok_or_else(|| self.wrong("other values"))
    }

    fn wrong(&self, wanted: &str) -> Error {
        Error::bad(format!("The query function '{}' needs {wanted}.", self.name))
    }
}

/// How few and how many values an operator takes.
pub(in crate::odata) fn arity(operator: Operator) -> (usize, usize) {
    use Operator::*;
    let name = operator.name();
    match operator {
        On | NotOn | OnOrBefore | OnOrAfter | InFiscalYear | InFiscalPeriod => (1, 1),
        Under | UnderOrEqual | NotUnder | Above | AboveOrEqual => (1, 1),
        InFiscalPeriodAndYear | InOrBeforeFiscalPeriodAndYear | InOrAfterFiscalPeriodAndYear => (2, 2),
        ContainValues | DoesNotContainValues => (1, usize::MAX),
        _ if name.starts_with("LastX") || name.starts_with("NextX") || name.starts_with("OlderThanX") => {
            (1, 1)
        }
        _ => (0, 0),
    }
}

/// Whether groups can be made of a column's values: of times only by their parts (dataverse.md A11).
pub(super) fn groups(info: &ColumnInfo) -> bool {
    !matches!(info.kind, ColumnKind::DateTime { date_only: false, .. })
}
