import Foundation
import TestSupport
import Testing

private func run(_ arguments: String..., environment: [String: String] = [:]) throws -> (
    status: Int32, output: String, errors: String
) {
    try ChildProcess.run(Costgauge.executable, arguments, environment: environment)
}

@Suite struct CommandLineTests {
    @Test func `help is there for everything`() throws {
        let help = try run("--help")
        #expect(help.status == 0)
        for command in ["serve", "check-config", "demo", "report", "events", "detect", "version"] {
            #expect(help.output.contains("  \(command) "))
            let own = try run(command, "--help")
            #expect(own.status == 0 && own.output.hasPrefix("usage: costgauge \(command)"))
        }
        #expect(try run("version").output.contains("SQLite: 3."))
        #expect(try run("--version").output.hasPrefix("costgauge, version "))
    }

    @Test(
        arguments: [
            ([], "usage: costgauge COMMAND"),
            (["watch"], "unknown command \"watch\"; there are serve, check-config, demo"),
            (["sevre"], "unknown command \"sevre\"; did you mean serve?"),
            (["check"], "unknown command \"check\"; did you mean check-config?"),
            (["hlep"], "unknown command \"hlep\"; did you mean help?"),
            (["serve", "--nonsense"], "unknown flag --nonsense; see --help"),
            (["serve", "--=1"], "unknown flag --; see --help"),
            (
                ["serve", "--log.levle=info"],
                "unknown flag --log.levle; did you mean --log.level? see --help"
            ),
            (
                ["serve", "--web_listen_address=:1"],
                "unknown flag --web_listen_address; did you mean --web.listen-address? see --help"
            ),
            (["serve", "--log"], "unknown flag --log; did you mean --log.level? see --help"),
            (
                ["serve", "--web.listen=127.0.0.1:0"],
                "unknown flag --web.listen; did you mean --web.listen-address? see --help"
            ),
            (["report", "--no-jsn"], "unknown flag --no-jsn; did you mean --no-json? see --help"),
            (
                ["report", "--jsonlines"],
                "unknown flag --jsonlines; did you mean --json? see --help"
            ),
            (["serve", "--seed=1"], "unknown flag --seed; it is a flag of demo; see --help"),
            (
                ["serve", "--tenant=a"],
                "unknown flag --tenant; it is a flag of report, events; see --help"
            ),
            (
                ["serve", "--storage.sync=normal"],
                "unknown flag --storage.sync; storage.sync is a key of the configuration file; see --help"
            ),
            (
                ["serve", "--storage.synch=normal"],
                "unknown flag --storage.synch; did you mean storage.sync in the configuration file? see --help"
            ),
            (["serve", "--log.level"], "--log.level needs a value: --log.level=LEVEL"),
            (
                ["serve", "--log.level=loud"],
                "--log.level: \"loud\" is not one of debug, info, warn, error"
            ),
            (
                ["serve", "--log.level=info", "--log.level=warn"],
                "--log.level stands twice; keep one"
            ),
            (["serve", "-v"], "unknown flag \"-v\"; flags begin with two dashes"),
            (["serve", "extra"], "unexpected argument \"extra\""),
            (["serve", "--web.listen-address=nowhere"], "\"nowhere\" is not an address such as"),
            (["serve", "--web.listen-address=0.0.0.0:0"], "can be reached from other machines"),
            (
                ["serve", "--config.file=/nowhere.yaml"],
                "/nowhere.yaml: cannot read it: No such file"
            ),
            (["serve", "--storage.path=/proc/x"], "/proc/x: cannot use it as the data directory"),
            (["check-config"], "name the file: costgauge check-config FILE"),
            (
                ["report", "--storage.path=/nowhere"],
                "/nowhere/costgauge.db: there is no costgauge database"
            ),
            (
                ["report", "--since=yesterday"],
                "--since: \"yesterday\" is no time; write 2026-11-01"
            ),
            (
                ["report", "--group-by=request"],
                "--group-by: \"request\" cannot be grouped by; there are tenant"
            ),
            (["report", "--json=yes"], "--json takes no value"),
            (["events", "--limit=many"], "--limit: \"many\" is not a number"),
            (["demo", "--weeks=99"], "--weeks: \"99\" is not a number from 0 to 52"),
        ])
    func `a mistake is one line that helps, and exit 2`(_ arguments: [String], _ message: String)
        throws
    {
        let result = try ChildProcess.run(Costgauge.executable, arguments)
        #expect(result.status == 2)
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.output.isEmpty)
        if message != "usage: costgauge COMMAND" {
            #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
        }
    }

    @Test func `check-config prints every fault and the exit code`() throws {
        let place = TemporaryDirectory()
        let good = try place.file("good.yaml", "log: {level: warn}\n")
        #expect(try run("check-config", good).output == "\(good): good\n")
        let bad = try place.file("bad.yaml", "log: {level: loud}\nstorage: {x: 1}\n")
        let result = try run("check-config", bad)
        #expect(result.status == 2)
        #expect(
            result.errors == """
                \(bad):1:14: log.level: "loud" is not one of debug, info, warn, error
                \(bad):2:11: storage.x: unknown key; there are path, retention, sync
                \(bad): 2 faults

                """)
        let reference = Costgauge.repository + "/deploy/costgauge.reference.yaml"
        #expect(try run("check-config", reference).status == 0)
    }

    @Test func `P16 serve refuses a faulty configuration whole`() throws {
        let place = TemporaryDirectory()
        let file = try place.file("bad.yaml", "storage: {path: \(place.path)/data, nonsense: 1}\n")
        let result = try run("serve", "--config.file=\(file)")
        #expect(result.status == 2 && result.errors.contains("storage.nonsense: unknown key"))
        #expect(!FileManager.default.fileExists(atPath: place.path + "/data"))
    }

    @Test func `a taken port and a taken directory are told`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path + "/a")
        let port = try run(
            "serve", "--storage.path=\(place.path)/b",
            "--web.listen-address=127.0.0.1:\(server.port)")
        #expect(port.status == 1)
        #expect(
            port.errors.contains(
                "cannot listen on 127.0.0.1:\(server.port): Address already in use"))
        #expect(port.errors.contains("choose another port with --web.listen-address"))
        let directory = try run(
            "serve", "--storage.path=\(place.path)/a", "--web.listen-address=127.0.0.1:0")
        #expect(directory.status == 1)
        #expect(
            directory.errors.contains(
                "another costgauge (process \(server.child.process.processIdentifier)) writes here")
        )
        #expect(server.stop() == 0)
    }

    @Test func `files that are not ours stop the start and stay as they are`() throws {
        let place = TemporaryDirectory()
        let notes = try place.file("costgauge.db", "my notes")
        let result = try run(
            "serve", "--storage.path=\(place.path)", "--web.listen-address=127.0.0.1:0")
        #expect(result.status == 2 && result.errors.contains("it is not an SQLite database"))
        #expect(try String(contentsOfFile: notes, encoding: .utf8) == "my notes")
    }
}

@Suite struct QueryCommandTests {
    @Test func `report and events read a live directory`() throws {
        let place = TemporaryDirectory()
        let server = try Costgauge(storage: place.path)
        let answer = try server.client().post(
            """
            [{"id":"1","timestamp":"2025-01-19T10:00:00Z","tenant":"acme","feature":"chat","provider":"openai",
              "model":"gpt-4o-mini","input_tokens":1000000,"tags":{"team":"x"},"conversation":"c","seconds":2},
             {"id":"2","timestamp":"2025-01-20T10:00:00.5Z","tenant":"ba\\u0007d","cost_usd":"0.25","status":"error"},
             {"id":"3","timestamp":"2025-01-20T11:00:00Z","tenant":"acme","model":"gpt-9","input_tokens":5}]
            """)
        #expect(answer.text.hasPrefix("{\"accepted\":3"), "\(answer.text)")
        let path = "--storage.path=\(place.path)"
        let report = try run("report", path)
        #expect(report.status == 0)
        #expect(
            report.output == """
                Spend $0.40 in 3 calls, and 1 calls without a known price

                TENANT  COST USD  SHARE  CALLS  INPUT TOKENS  OUTPUT TOKENS
                ba?d        0.25  62.5%      1             0              0
                acme        0.15  37.5%      2       1000005              0

                FEATURE  COST USD  SHARE  CALLS  INPUT TOKENS  OUTPUT TOKENS
                (none)       0.25  62.5%      2             5              0
                chat         0.15  37.5%      1       1000000              0

                MODEL        COST USD  SHARE  CALLS  INPUT TOKENS  OUTPUT TOKENS
                (none)           0.25  62.5%      1             0              0
                gpt-4o-mini      0.15  37.5%      1       1000000              0
                gpt-9        unpriced             1             5              0

                """)
        let json = try run(
            "report", path, "--json", "--group-by=tenant,status", "--since=2025-01-20")
        let parsed =
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        #expect((parsed?["total"] as? [String: Any])?["cost_usd"] as? String == "0.25")
        #expect(
            (parsed?["by_tenant_status"] as? [[String: Any]])?.first?["status"] as? String
                == "error")
        let events = try run("events", path, "--tenant=acme", "--limit", "1")
        #expect(
            events.output
                == #"{"id":"1","timestamp":"2025-01-19T10:00:00Z","tenant":"acme","feature":"chat","#
                + #""conversation":"c","provider":"openai","model":"gpt-4o-mini","input_tokens":1000000,"#
                + #""cached_input_tokens":0,"cache_write_tokens":0,"output_tokens":0,"reasoning_tokens":0,"#
                + #""cost_usd":"0.150000000","cost_source":"computed","status":"ok","stage":"unknown","#
                + #""usage_complete":true,"tags":{"team":"x"},"seconds":2}"# + "\n")
        // What came out goes in again: the same ids are duplicates.
        let all = try run("events", path).output
        let again = try server.client().request(
            "POST", "/v1/events", headers: ["Content-Type": "application/x-ndjson"],
            body: Array(all.utf8))
        #expect(try again.json()["duplicates"] as? Int == 3, "\(again.text)")
        #expect(server.stop() == 0)
        #expect(try run("report", path).output == report.output)
    }
}
