import Foundation
import TestSupport
import Testing

/// What lies in `deploy`, put before the programs that will read it.
@Suite(.enabled(if: Peers.areInstalled, "make test installs the peers"))
struct DeployTests {
    static let folder = Costgauge.repository + "/deploy/"

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: folder + path, encoding: .utf8)
    }

    static func files(_ subfolder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder + subfolder).sorted()
            .map { "\(subfolder)/\($0)" }
    }

    /// The output of a script of the peers' Python; empty when all is well.
    static func python(_ script: String, _ arguments: [String]) throws -> String {
        let run = try ChildProcess.run(try #require(Peers.python), ["-c", script] + arguments)
        #expect(run.status == 0, "\(run.errors)")
        return run.output
    }

    /// The file with its secrets replaced by one that is there.
    static func withSecrets(_ path: String, in place: TemporaryDirectory) throws -> String {
        let texts = [
            "url_file": "https://hooks.slack.com/services/T0/B0/x",
            "routing_key_file": "0123456789abcdef0123456789abcdef",
            "secret_file": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ]
        var text = try text(path)
        for (key, secret) in texts {
            let file = try place.file(key, secret)
            let pattern = try Regex("\(key): [^ \n]+")
            text.replace(pattern) { _ in "\(key): \(file)" }
        }
        return try place.file("costgauge.yaml", text)
    }

    @Test(arguments: [
        "examples/small.yaml", "examples/saas.yaml", "examples/agents.yaml",
        "compose/costgauge.yaml",
    ])
    func `costgauge accepts each configuration`(_ path: String) throws {
        let place = TemporaryDirectory()
        let file = try Self.withSecrets(path, in: place)
        let run = try ChildProcess.run(Costgauge.executable, ["check-config", file])
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(try String(contentsOfFile: file, encoding: .utf8).contains("budgets:"))
    }

    @Test func `LiteLLM makes its callback of the settings, here and in the README`() throws {
        let script = """
            import asyncio, re, sys, yaml, litellm
            from litellm.litellm_core_utils.logging_callback_manager import LoggingCallbackManager
            readme = open(sys.argv[2]).read()
            blocks = re.findall(r"```yaml\\n(.*?)```", readme, re.S)
            snippet = next(text for text in blocks if "callback_settings" in text)
            async def main():
                for text in (open(sys.argv[1]).read(), snippet):
                    settings = yaml.safe_load(text)
                    litellm.callback_settings = settings["callback_settings"]
                    for name in settings["litellm_settings"]["callbacks"]:
                        logger = LoggingCallbackManager.add_custom_callback_generic_api_str(name)
                        print(type(logger).__name__, logger.endpoint)
            asyncio.run(main())
            """
        let output = try Self.python(
            script, [Self.folder + "litellm/config.yaml", Costgauge.repository + "/README.md"])
        let line = "GenericAPILogger http://127.0.0.1:10838/v1/litellm\n"
        #expect(output == line + line)
    }

    @Test func `Kubernetes' own schemas accept the manifests, strictly`() throws {
        let script = """
            import sys, yaml, kubernetes_validate
            kinds = []
            for path in sys.argv[1:]:
                for document in yaml.safe_load_all(open(path)):
                    kinds.append(document["kind"])
                    if document["kind"] != "ServiceMonitor":
                        kubernetes_validate.validate(document, "1.31", strict=True)
            print(*sorted(kinds))
            """
        let files = try Self.files("kubernetes").map { Self.folder + $0 }
        let kinds = try Self.python(script, files)
        #expect(
            kinds
                == "ConfigMap Deployment NetworkPolicy Service ServiceMonitor StatefulSet\n")
        let place = TemporaryDirectory()
        let wrong = try Self.text("kubernetes/statefulset.yaml")
            .replacing("serviceName:", with: "servceName:")
        let refused = try ChildProcess.run(
            try #require(Peers.python), ["-c", script, try place.file("wrong.yaml", wrong)])
        #expect(refused.status != 0)
    }

    /// Ports, names and mounts that must agree between objects; no schema sees them.
    @Test func `the manifests agree with each other and with the image`() throws {
        let script = """
            import sys, yaml
            objects = {}
            for path in sys.argv[1:]:
                for document in yaml.safe_load_all(open(path)):
                    objects[document["kind"]] = document
            stateful = objects["StatefulSet"]["spec"]
            pod = stateful["template"]["spec"]
            assert stateful["replicas"] == 1
            labels = stateful["template"]["metadata"]["labels"]
            service = objects["Service"]
            ports = {p["name"]: p["containerPort"] for c in pod["containers"] for p in c["ports"]}
            for port in service["spec"]["ports"]:
                assert ports[port["targetPort"]] == port["port"]
            for selector in (service["spec"]["selector"], stateful["selector"]["matchLabels"],
                             objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]):
                assert selector == labels
            monitor = objects["ServiceMonitor"]["spec"]
            assert monitor["selector"]["matchLabels"] == service["metadata"]["labels"]
            assert {e["port"] for e in monitor["endpoints"]} <= {p["name"] for p in service["spec"]["ports"]}
            assert service["metadata"]["name"] == "costgauge"
            volumes = {v["name"] for v in pod["volumes"]} | {
                c["metadata"]["name"] for c in stateful["volumeClaimTemplates"]}
            deployment = objects["Deployment"]["spec"]["template"]["spec"]
            for container in pod["containers"] + deployment["initContainers"]:
                security = container["securityContext"]
                assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
                assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]
            for container in pod["containers"]:
                assert {m["name"] for m in container["volumeMounts"]} <= volumes
            side = deployment["initContainers"][0]
            assert side["restartPolicy"] == "Always"
            print(side["image"], *sorted(ports.values()))
            """
        let output = try Self.python(
            script, try Self.files("kubernetes").map { Self.folder + $0 })
        #expect(output == "costgauge:0.1.0 10838 10839\n")
        let dockerfile = try Self.text("Dockerfile")
        #expect(dockerfile.contains("EXPOSE 10839"))
        #expect(dockerfile.contains("USER 65532"))
        let version = try ChildProcess.run(Costgauge.executable, ["version"]).output
        #expect(version.contains("0.1.0"), "\(version)")
    }

    @Test func `hadolint finds nothing in the Dockerfile`() throws {
        let hadolint = Costgauge.repository + "/.build/peers/bin/hadolint"
        // Versions of Debian's packages are Debian's: pinning them breaks with the next security
        // update.
        let run = try ChildProcess.run(
            hadolint, ["--ignore=DL3008", Self.folder + "Dockerfile"])
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        let place = TemporaryDirectory()
        let refused = try ChildProcess.run(
            hadolint, [try place.file("Dockerfile", "FROM debian\nRUN cd /\n")])
        #expect(refused.status != 0)
    }

    @Test func `the image holds every library of the binary`() throws {
        let libraries = try ChildProcess.run("/usr/bin/ldd", [Costgauge.executable]).output
        let image = try #require(
            try Self.text("Dockerfile").components(separatedBy: "FROM debian:12-slim").last)
        for (library, package) in [
            ("libmicrohttpd.so.12", "libmicrohttpd12"), ("libsqlite3.so.0", "libsqlite3-0"),
            ("libyaml-0.so.2", "libyaml-0-2"), ("libz.so.1", "zlib1g"),
            ("libsimdjson.so.14", "libsimdjson14"), ("libcurl.so.4", "libcurl4"),
            ("libcrypto.so.3", "libssl3"), ("libstdc++.so.6", "libstdc++6"),
            ("libgnutls.so.30", "libgnutls30"), ("libcrypt.so.1", "libcrypt1"),
        ] {
            #expect(libraries.contains(library), "\(library)")
            #expect(image.contains(" \(package) "), "\(package)")
        }
        // And what is linked directly is one of these, libc, or comes with Swift.
        let dynamic = try ChildProcess.run("/usr/bin/readelf", ["-d", Costgauge.executable]).output
        let needed = dynamic.matches(of: /NEEDED.*\[(\S+?)\.so/).map { String($0.1) }
        #expect(needed.count > 8)
        let known = [
            "libmicrohttpd", "libsqlite3", "libyaml-0", "libz", "libsimdjson", "libcurl",
            "libcrypto", "libssl", "libgnutls", "libstdc++", "libcrypt", "libc", "libm", "libgcc_s",
            "ld-linux-x86-64", "ld-linux-aarch64", "libpthread", "libdl", "librt",
        ]
        for library in needed where !library.hasPrefix("libswift") {
            #expect(
                known.contains(library) || ["libdispatch", "libBlocksRuntime"].contains(library)
                    || library.hasPrefix("libFoundation") || library.hasPrefix("lib_Foundation"),
                "\(library)")
        }
    }
}
