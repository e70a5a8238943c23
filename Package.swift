// swift-tools-version: 6.2
import PackageDescription

// Targets stand in the order the data walks; each names the rooms below it, so imports run one way.
// Sources/README.md is the map.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// Tests use Foundation and processes freely; only the language's own checks hold there.
let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func test(
    _ room: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []
) -> Target {
    .testTarget(
        name: "\(room)Tests",
        dependencies: [.byName(name: room), "TestSupport"] + dependencies,
        exclude: exclude,
        swiftSettings: testing
    )
}

let package = Package(
    name: "costgauge",
    products: [.executable(name: "costgauge", targets: ["costgauge"])],
    targets: [
        // C modules: each is imported by exactly one wrapper.
        .systemLibrary(
            name: "CMicroHTTPD", pkgConfig: "libmicrohttpd",
            providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        // C++, so Swift sees a shim; a missing simdjson is named by an #error in it.
        .target(name: "CSimdJSON", linkerSettings: [.linkedLibrary("simdjson")]),

        // Wrappers.
        room("HTTPServer", ["CMicroHTTPD", "Threading", "Wire"]),
        room("HTTPClient", ["CCurl", "Threading"]),
        room("Crypto", ["CCrypto"]),
        room("SQLite", ["CSQLite"]),
        room("YAML", ["CYAML"]),
        room("JSON", ["CSimdJSON", "Wire"]),
        room("Gzip", ["CZlib"]),

        // Below every room.
        room("Wire"),
        room("Usage", ["Wire", "JSON"]),
        room("Aggregation", ["JSON", "Usage", "Wire"]),
        room("Protobuf"),
        room("Threading"),
        room("Files", ["Threading"]),
        room("TimeZones", ["Wire"]),
        room("Logging", ["Usage", "Wire"]),
        room("Store", ["SQLite"]),

        // The rooms, in the order in which the data walks.
        room("SelfMetrics", ["Usage"]),
        room("Access", ["Crypto", "Usage", "Wire"]),
        room("Intake", ["JSON", "SelfMetrics", "Usage", "Wire"]),
        room(
            "OTLP",
            [
                "Intake", "JSON", "Ledger", "Protobuf", "SQLite", "SelfMetrics", "Usage", "Wire",
            ]),
        room(
            "OTLPPush",
            [
                "Gzip", "HTTPClient", "Logging", "Protobuf", "SelfMetrics", "Threading", "Usage",
                "Wire",
            ]),
        room("LiteLLM", ["Intake", "JSON", "Usage", "Wire"]),
        .target(name: "PriceData", exclude: ["prices.json"]),
        room("Pricing", ["JSON", "PriceData", "TimeZones", "Usage", "Wire"]),
        room("PriceFiles", ["JSON", "Pricing", "SQLite", "Usage", "Wire", "YAML"]),
        room(
            "Ledger",
            [
                "Aggregation", "JSON", "Logging", "SQLite", "SelfMetrics", "Store", "Threading",
                "Usage", "Wire",
            ]),
        room(
            "Tail",
            [
                "Files", "Intake", "Ledger", "Logging", "SQLite", "SelfMetrics", "Threading",
                "Usage", "Wire",
            ]),
        room(
            "Budgets",
            [
                "Aggregation", "JSON", "Ledger", "SQLite", "SelfMetrics", "TimeZones", "Usage",
                "Wire",
            ]),
        room(
            "Governance",
            ["Files", "Ledger", "Logging", "SQLite", "Usage", "Wire"]),
        room("Anomalies", ["Aggregation", "JSON", "Ledger", "SQLite", "Usage", "Wire"]),
        room(
            "Alerts",
            ["Anomalies", "Budgets", "JSON", "Ledger", "SQLite", "SelfMetrics", "Usage", "Wire"]),
        room(
            "Delivery",
            [
                "Alerts", "Crypto", "HTTPClient", "Ledger", "Logging", "SQLite", "Threading",
                "Usage",
                "Wire",
            ]),
        room(
            "Exposition",
            [
                "Aggregation", "Alerts", "Anomalies", "Budgets", "Delivery", "Gzip", "Ledger",
                "SelfMetrics",
                "Threading", "Usage", "Wire",
            ]),
        .target(
            name: "Web",
            exclude: [
                "api.js", "app.js", "chart.js", "icon.svg", "index.html", "openapi.json",
                "page.css", "spend.js",
                "text.js", "watch.js",
            ]),
        room("WebPage", ["Web"]),
        room(
            "API",
            [
                "Access", "Alerts", "Anomalies", "Budgets", "Delivery", "Exposition", "Governance",
                "Gzip",
                "HTTPServer", "Intake", "WebPage",
                "JSON", "Pricing", "Crypto", "PriceFiles",
                "Ledger", "LiteLLM", "OTLP", "SQLite", "SelfMetrics", "Threading", "Usage", "Wire",
            ]),

        // Above every room.
        room(
            "Configuration",
            [
                "Access", "Aggregation", "Alerts", "Anomalies", "Budgets", "Delivery", "HTTPServer",
                "Ledger", "Logging", "OTLP", "OTLPPush", "Pricing", "Store", "Tail", "TimeZones",
                "Usage", "Wire", "YAML",
            ]),
        room(
            "Sidecar",
            [
                "API", "Access", "Alerts", "Anomalies", "Budgets", "Configuration", "Crypto",
                "Delivery",
                "Exposition", "Files", "Governance",
                "Gzip",
                "HTTPClient", "HTTPServer", "Intake", "Ledger",
                "LiteLLM", "Logging", "OTLP", "OTLPPush", "PriceFiles", "Pricing", "SQLite",
                "SelfMetrics",
                "Store", "Tail", "Threading", "Usage",
                "Wire", "YAML",
            ]),
        room("Demo", ["Usage", "Wire"]),
        .executableTarget(
            name: "costgauge",
            dependencies: [
                "Alerts", "Anomalies", "Budgets", "Configuration", "Delivery", "Demo", "HTTPClient",
                "HTTPServer", "JSON", "Ledger", "Logging", "PriceFiles", "Pricing", "SQLite",
                "Sidecar",
                "Store", "Threading", "Usage", "Wire",
            ],
            swiftSettings: strict),

        .executableTarget(
            name: "detectors-bench", dependencies: ["Anomalies"],
            path: "Tests/Benchmarks/Detectors", swiftSettings: testing),
        .executableTarget(
            name: "pricing-bench", dependencies: ["Pricing", "Usage", "Wire"],
            path: "Tests/Benchmarks/Pricing", swiftSettings: testing),
        .target(
            name: "TestSupport", dependencies: ["Usage"], path: "Tests/TestSupport",
            swiftSettings: testing),
        test("Wire"),
        test("Crypto", ["Wire"]),
        test("HTTPClient"),
        test("HTTPServer"),
        test("Files"),
        test("JSON"),
        test("Gzip"),
        test("YAML"),
        test("SQLite"),
        test("Store", ["SQLite"]),
        test("Usage", ["Wire"]),
        test("Logging"),
        test("Access", ["Usage"]),
        test("Aggregation", ["Usage"]),
        test("TimeZones"),
        test("Intake", ["SelfMetrics", "Usage", "Wire"]),
        test(
            "Tail",
            ["Intake", "Ledger", "Logging", "SQLite", "SelfMetrics", "Store", "Usage", "Wire"]),
        test("Protobuf"),
        test(
            "OTLPPush",
            ["Gzip", "HTTPClient", "Logging", "Protobuf", "SelfMetrics", "Usage", "Wire"]),
        test(
            "OTLP",
            [
                "Gzip", "Intake", "Pricing", "Protobuf", "SQLite", "SelfMetrics", "Store", "Usage",
                "Wire",
            ], exclude: ["Fixtures"]),
        test(
            "LiteLLM", ["Intake", "Pricing", "SelfMetrics", "Usage", "Wire"],
            exclude: ["Fixtures"]),
        test("Pricing", ["JSON", "Usage", "Wire"], exclude: ["Fixtures"]),
        test("PriceFiles", ["JSON", "Pricing", "SQLite", "Usage"]),
        test(
            "Budgets",
            [
                "Aggregation", "JSON", "Ledger", "Logging", "SQLite", "Store", "TimeZones", "Usage",
                "Wire",
            ]),
        test("Anomalies", ["Ledger", "SQLite", "Usage", "Wire"], exclude: ["Vectors"]),
        test(
            "Exposition",
            [
                "Aggregation", "Anomalies", "Budgets", "Gzip", "Ledger", "Logging", "SQLite",
                "SelfMetrics",
                "Store",
                "Threading", "Usage", "Wire",
            ]),
        test(
            "Alerts",
            ["Budgets", "Ledger", "SQLite", "SelfMetrics", "TimeZones", "Usage", "Wire"]),
        test("Governance", ["Ledger", "Logging", "SQLite", "Usage"]),
        test(
            "Delivery",
            [
                "Alerts", "Budgets", "HTTPClient", "JSON", "Ledger", "Logging", "SQLite", "Usage",
                "Wire",
            ]),
        test(
            "Configuration",
            [
                "Alerts", "Budgets", "Delivery", "HTTPServer", "Ledger", "Logging", "Pricing",
                "Tail", "TimeZones", "Usage",
                "YAML",
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "TidyTests", dependencies: ["costgauge", "TestSupport"], swiftSettings: testing),
        .testTarget(
            name: "EndToEndTests", dependencies: ["costgauge", "Gzip", "SQLite", "TestSupport"],
            exclude: ["Python", "Spend"], swiftSettings: testing),
        test(
            "Ledger", ["Aggregation", "Logging", "SQLite", "SelfMetrics", "Store", "Usage", "Wire"]),
    ],
    cxxLanguageStandard: .cxx17
)
