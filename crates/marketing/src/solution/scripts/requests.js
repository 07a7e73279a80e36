// What the buttons of the Email Service Connector do: each writes, or opens a form that writes, a row that asks the connector
// for something. Nothing here reaches outside the CRM.
// Runs in every generation from 2011 on, so: no newer language, and each way of the client API with the one before it.
var esc = esc || {};

esc.requests = (function () {
    "use strict";

    // The option "Requested" of esc_sendstatus.
    var REQUESTED = 272030001;
    var PERSON = { contact: "esc_contactid", lead: "esc_leadid", account: "esc_accountid" };
    var RECORD_TYPE = { contact: 272030000, lead: 272030001, account: 272030002 };

    // The row that a button is about: the chosen one, or the one whose form is open.
    function about(table, chosen) {
        var row = chosen && (chosen.length === undefined ? chosen : chosen[0]);
        if (row) {
            return { id: row.Id, name: row.Name, table: table };
        }
        var entity = Xrm.Page.data.entity;
        var name = entity.getPrimaryAttributeValue ? entity.getPrimaryAttributeValue() : primary();
        return { id: entity.getId(), name: name, table: table };
    }

    // Before 2013 the client API does not tell a row's name.
    function primary() {
        var names = ["esc_name", "fullname", "listname", "name"];
        for (var i = 0; i < names.length; i++) {
            var attribute = Xrm.Page.getAttribute(names[i]);
            if (attribute) {
                return attribute.getValue();
            }
        }
        return "";
    }

    function open(table, values) {
        if (Xrm.Navigation && Xrm.Navigation.openForm) {
            return Xrm.Navigation.openForm({ entityName: table }, values);
        }
        if (Xrm.Utility && Xrm.Utility.openEntityForm) {
            return Xrm.Utility.openEntityForm(table, null, values);
        }
        var pairs = [];
        for (var name in values) {
            if (values.hasOwnProperty(name)) {
                pairs.push(name + "=" + encodeURIComponent(values[name]));
            }
        }
        var page = Xrm.Page.context;
        var root = page.getClientUrl ? page.getClientUrl() : page.getServerUrl();
        var query = "etn=" + table + "&pagetype=entityrecord&extraqs=" + encodeURIComponent(pairs.join("&"));
        return window.open(root + "/main.aspx?" + query);
    }

    function lookup(values, column, row) {
        values[column] = row.id;
        values[column + "name"] = row.name;
        return values;
    }

    function personal(table, chosen) {
        var row = about(table, chosen);
        var values = { esc_name: row.name, esc_recordtype: RECORD_TYPE[table], esc_sendstatus: REQUESTED };
        return lookup(values, PERSON[table], row);
    }

    return {
        // The row is the list itself: the connector looks for lists that ask for it.
        syncNow: function (table, chosen) {
            if (!chosen || !chosen.length) {
                Xrm.Page.getAttribute("esc_syncrequested").setValue(true);
                return Xrm.Page.data.entity.save();
            }
            if (Xrm.WebApi && Xrm.WebApi.updateRecord) {
                return Xrm.WebApi.updateRecord(table, chosen[0].Id, { esc_syncrequested: true });
            }
            // Older clients have no call that writes: the form has the button, too.
            return Xrm.Utility.openEntityForm(table, chosen[0].Id);
        },

        // The lists of a send are chosen on its form, as there may be many.
        send: function (table, chosen) {
            var row = about(table, chosen);
            var values = { esc_name: row.name, esc_sendstatus: REQUESTED };
            if (table === "esc_emailcampaign") {
                lookup(values, "esc_emailcampaignid", row);
            }
            return open("esc_emailsend", values);
        },

        sendOne: function (table, chosen) {
            return open("esc_emailsinglesend", personal(table, chosen));
        },

        // The same kind of row, with a program in the campaign's place.
        addToProgram: function (table, chosen) {
            var values = personal(table, chosen);
            values.esc_isprogram = true;
            return open("esc_emailsinglesend", values);
        }
    };
}());
