// Presses each button of requests.js in clients of three times and prints what it did.
const fs = require("fs");
const code = fs.readFileSync(process.argv[2], "utf8");

function page(said) {
    return {
        context: { getServerUrl: () => "http://crm", getClientUrl: undefined },
        data: { entity: { getId: () => "{ID}", getPrimaryAttributeValue: undefined, save: () => said.push("save") } },
        getAttribute: (name) => name === "esc_syncrequested" || name === "fullname" || name === "listname" || name === "esc_name"
            ? { getValue: () => "Name", setValue: (value) => said.push(`${name} = ${value}`) } : null,
    };
}

function client(time, said) {
    const Xrm = { Page: page(said), Utility: {} };
    const window = { open: (url) => said.push(`window ${url}`) };
    if (time >= 2013) {
        Xrm.Page.data.entity.getPrimaryAttributeValue = () => "Name";
        Xrm.Utility.openEntityForm = (table, id, values) => said.push(`form ${table} ${id} ${JSON.stringify(values)}`);
    }
    if (time >= 2017) {
        Xrm.Navigation = { openForm: (options, values) => said.push(`open ${JSON.stringify(options)} ${JSON.stringify(values)}`) };
        Xrm.WebApi = { updateRecord: (table, id, values) => said.push(`update ${table} ${id} ${JSON.stringify(values)}`) };
    }
    const esc = new Function("Xrm", "window", code + "\nreturn esc;")(Xrm, window);
    return esc.requests;
}

// 2017: the client of 9.0.
for (const time of [2011, 2013, 2017]) {
    const press = (what, ...args) => {
        const said = [];
        client(time, said)[what](...args);
        console.log(`${time} ${what} ${args[0]}: ${said.join("; ")}`);
    };
    press("syncNow", "list");
    press("send", "esc_emailcampaign");
    press("send", "list");
    press("sendOne", "contact");
    press("addToProgram", "lead");
    if (time > 2011) {
        press("syncNow", "list", [{ Id: "{L}", Name: "Chosen" }]);
        press("sendOne", "account", [{ Id: "{A}", Name: "Chosen" }]);
    }
}
