// What the buttons of the Email Service Connector do: each writes, or opens a form that writes, a row that asks the connector
// for something. Nothing here reaches outside the CRM.
// Runs in every generation from 2011 on, so: no newer language, and each way of the client API with the one before it.
var esc = esc || {};

esc.requests = (function () {
    "use strict";

    // Options of esc_sendstatus.
    var DRAFT = 272030000;
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

    // Gives a column of the row a value. An open form that has the column is saved with it, so that nothing typed there is lost.
    function give(table, chosen, column, value) {
        var above = chosen && chosen.length;
        var attribute = above ? null : Xrm.Page.getAttribute(column);
        if (attribute) {
            attribute.setValue(value);
            return Xrm.Page.data.entity.save();
        }
        var id = above ? chosen[0].Id : Xrm.Page.data.entity.getId();
        if (Xrm.WebApi && Xrm.WebApi.updateRecord) {
            var values = {};
            values[column] = value;
            return Xrm.WebApi.updateRecord(table, plain(id), values);
        }
        // Older clients have no call that writes: a form has the column and the button, too.
        if (above && Xrm.Utility && Xrm.Utility.openEntityForm) {
            return Xrm.Utility.openEntityForm(table, id);
        }
        return window.alert("Choose the form Email Marketing of this row, and press the button there.");
    }

    function plain(id) {
        return id.replace(/[{}]/g, "");
    }

    // A draft that goes to this list, then its form. Lists are tied to a row that is there.
    function draftTo(list, values) {
        return Xrm.WebApi.createRecord("esc_emailsend", values).then(function (made) {
            var api = Xrm.Page.context.getClientUrl() + "/api/data/v9.0/";
            var request = new XMLHttpRequest();
            request.open("POST", api + "esc_emailsends(" + made.id + ")/esc_emailsend_list/$ref", true);
            request.setRequestHeader("Content-Type", "application/json");
            request.setRequestHeader("OData-Version", "4.0");
            // Without the list it can be added on the form.
            request.onloadend = function () {
                Xrm.Navigation.openForm({ entityName: "esc_emailsend", entityId: made.id });
            };
            request.send(JSON.stringify({ "@odata.id": api + "lists(" + plain(list.id) + ")" }));
        });
    }

    return {
        // The row is the list itself: the connector looks for lists that ask for it.
        syncNow: function (table, chosen) {
            return give(table, chosen, "esc_syncrequested", true);
        },

        // A draft: its lists are chosen on its form, where the button is that asks for it to be sent.
        send: function (table, chosen) {
            var row = about(table, chosen);
            var values = { esc_name: row.name, esc_sendstatus: DRAFT };
            if (table === "esc_emailcampaign") {
                lookup(values, "esc_emailcampaignid", row);
            }
            if (table === "list" && Xrm.WebApi && Xrm.WebApi.createRecord) {
                return draftTo(row, values);
            }
            return open("esc_emailsend", values);
        },

        // The draft as it stands, with its lists.
        request: function (table, chosen) {
            return give(table, chosen, "esc_sendstatus", REQUESTED);
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
