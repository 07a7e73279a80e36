// Presses each button of requests.js in clients of three times and prints what it did.
const fs = require("fs");
const code = fs.readFileSync(process.argv[2], "utf8");

// Columns that are on every form; the others are on no form but ours.
const EVERYWHERE = ["fullname", "listname", "esc_name"];

function page(said, form) {
    return {
        context: { getServerUrl: () => "http://crm", getClientUrl: undefined },
        data: { entity: { getId: () => "{ID}", getPrimaryAttributeValue: undefined, save: () => said.push("save") } },
        getAttribute: (name) => form.includes(name)
            ? { getValue: () => "Name", setValue: (value) => said.push(`${name} = ${value}`) } : null,
    };
}

function client(time, said, form) {
    const Xrm = { Page: page(said, form), Utility: {} };
    const window = { open: (url) => said.push(`window ${url}`), alert: (text) => said.push(`alert ${text}`) };
    if (time >= 2013) {
        Xrm.Page.data.entity.getPrimaryAttributeValue = () => "Name";
        Xrm.Utility.openEntityForm = (table, id, values) => said.push(`form ${table} ${id} ${JSON.stringify(values)}`);
    }
    if (time >= 2017) {
        Xrm.Navigation = { openForm: (options, values) => said.push(`open ${JSON.stringify(options)} ${JSON.stringify(values)}`) };
        Xrm.Page.context.getClientUrl = () => "http://crm";
        Xrm.WebApi = {
            updateRecord: (table, id, values) => said.push(`update ${table} ${id} ${JSON.stringify(values)}`),
            // What follows runs at once here, so that one line tells all of it.
            createRecord: (table, values) => {
                said.push(`create ${table} ${JSON.stringify(values)}`);
                return { then: (next) => next({ id: "made" }) };
            },
        };
    }
    class XMLHttpRequest {
        open(method, url) { said.push(`${method} ${url}`); }
        setRequestHeader() {}
        send(body) { said.push(body); this.onloadend(); }
    }
    const esc = new Function("Xrm", "window", "XMLHttpRequest", code + "\nreturn esc;")(Xrm, window, XMLHttpRequest);
    return esc.requests;
}

// 2017: the client of 9.0.
for (const time of [2011, 2013, 2017]) {
    const press = (what, ...args) => {
        const said = [];
        client(time, said, ["esc_syncrequested", "esc_sendstatus", ...EVERYWHERE])[what](...args);
        console.log(`${time} ${what} ${args[0]}: ${said.join("; ")}`);
    };
    press("syncNow", "list");
    const bare = [];
    client(time, bare, EVERYWHERE).syncNow("list");
    console.log(`${time} syncNow list, on a form without the column: ${bare.join("; ")}`);
    press("request", "esc_emailsend");
    press("send", "esc_emailcampaign");
    press("send", "list");
    press("sendOne", "contact");
    press("addToProgram", "lead");
    if (time > 2011) {
        press("request", "esc_emailsend", [{ Id: "{S}", Name: "Chosen" }]);
        press("syncNow", "list", [{ Id: "{L}", Name: "Chosen" }]);
        press("sendOne", "account", [{ Id: "{A}", Name: "Chosen" }]);
    }
}
