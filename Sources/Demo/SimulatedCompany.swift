internal import Wire

/// A seeded generator (SplitMix64: https://prng.di.unimi.it/splitmix64.c), so that a demo can be
/// repeated.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// Forty customers of a small software company and what they use its features for.
///
/// Calls follow the hour of the day and the day of the week of each customer; a few of them are
/// large. One model has no known price, one customer grows, and on the first live day an agent runs
/// away.
public struct SimulatedCompany {
    private struct Model {
        let provider: String
        let name: String
    }

    private struct Feature {
        let name: String
        let agent: String
        let models: [(weight: Double, model: Model)]
        let inputTokens: Double
        let outputTokens: Double
        /// Part of the input that the provider has cached.
        let cachedShare: Double
    }

    private struct Tenant {
        let name: String
        /// Calls in an hour of full activity.
        let callsPerHour: Double
        let hoursEastOfUTC: Int
        let users: Int
        let featureWeights: [Double]
        /// Factor a week.
        let growth: Double
    }

    /// What a step of simulated time produced.
    public struct Step {
        /// Events as NDJSON.
        public var body: [UInt8] = []
        public var calls = 0
    }

    public static let stepSeconds: Int64 = 900
    private static let tenantNames = [
        "acme", "aurora-labs", "basalt", "bluefin", "borealis", "brightwater", "cedar",
        "cobalt-health",
        "copperline", "corvid", "daybreak", "delta-freight", "ember", "fernhill", "fjord",
        "foxglove",
        "granite-bank", "harbor", "helios", "hinterland", "ironwood", "juniper", "kestrel",
        "lantern",
        "larkspur", "lumen", "maple-legal", "meridian", "monsoon", "nightjar", "northwind", "opal",
        "palisade", "quarry", "redwood", "saltmarsh", "tidepool", "umbra", "willow", "zephyr",
    ]

    private let features: [Feature]
    private let tenants: [Tenant]
    private var random: SeededRandom
    private let origin: Int64
    private var counter: UInt64 = 0
    /// Unix seconds between which the runaway agent calls.
    private let runaway: Range<Int64>

    /// `origin` and `liveFrom` in Unix seconds: the first step of the history and the first live
    /// one.
    public init(seed: UInt64, origin: Int64, liveFrom: Int64) {
        random = SeededRandom(seed: seed)
        self.origin = origin
        runaway = liveFrom + 6 * 3600..<liveFrom + 10 * 3600
        features = Self.makeFeatures()
        var random = random
        tenants = Self.tenantNames.enumerated().map { index, name in
            Tenant(
                name: name, callsPerHour: 60 / Double(index + 2) + 0.6,
                hoursEastOfUTC: [-8, -5, 0, 1, 1, 2, 8][index % 7],
                users: 4 + Int(90 / Double(index + 1)),
                featureWeights: Self.makeFeatures().map { _ in 0.2 + random.unit() },
                growth: name == "helios" ? 1.35 : 1)
        }
    }

    private static func makeFeatures() -> [Feature] {
        let mini = Model(provider: "openai", name: "gpt-4o-mini")
        let large = Model(provider: "openai", name: "gpt-4o")
        let haiku = Model(provider: "anthropic", name: "claude-haiku-4-5")
        let sonnet = Model(provider: "anthropic", name: "claude-sonnet-4-5")
        let flash = Model(provider: "gemini", name: "gemini-2.5-flash")
        let embedding = Model(provider: "openai", name: "text-embedding-3-small")
        let preview = Model(provider: "inhouse", name: "acorn-preview-2")
        return [
            Feature(
                name: "support.chat", agent: "", models: [(0.8, mini), (0.2, haiku)],
                inputTokens: 2400, outputTokens: 280, cachedShare: 0.6),
            Feature(
                name: "search.answers", agent: "", models: [(0.6, flash), (0.4, mini)],
                inputTokens: 5200, outputTokens: 350, cachedShare: 0.2),
            Feature(
                name: "search.index", agent: "", models: [(1, embedding)],
                inputTokens: 900, outputTokens: 0, cachedShare: 0),
            Feature(
                name: "docs.summarize", agent: "", models: [(0.7, haiku), (0.3, large)],
                inputTokens: 9000, outputTokens: 600, cachedShare: 0),
            Feature(
                name: "code.review", agent: "reviewer", models: [(0.97, sonnet), (0.03, preview)],
                inputTokens: 14_000, outputTokens: 1100, cachedShare: 0.5),
            Feature(
                name: "agents.research", agent: "planner", models: [(0.6, sonnet), (0.4, large)],
                inputTokens: 18_000, outputTokens: 1600, cachedShare: 0.7),
        ]
    }

    /// The calls of the quarter hour that begins at `start` (Unix seconds).
    public mutating func step(at start: Int64) -> Step {
        var step = Step()
        for tenant in tenants.indices {
            let expected = expectedCalls(tenants[tenant], at: start)
            for _ in 0..<poisson(expected) { appendCall(of: tenant, at: start, to: &step) }
        }
        if runaway.contains(start) {
            for _ in 0..<80 { appendRunaway(at: start, to: &step) }
        }
        return step
    }

    private func expectedCalls(_ tenant: Tenant, at start: Int64) -> Double {
        let local = start + Int64(tenant.hoursEastOfUTC) * 3600
        let hour = Double(local % 86_400) / 3600
        // 1970-01-01 was a Thursday.
        let weekday = (local / 86_400 + 3) % 7
        let isWeekend = weekday >= 5
        // A working day: low at night, high from nine to five with a dip at lunch.
        let day: Double =
            switch hour {
            case 8..<9: 0.5
            case 9..<12: 1
            case 12..<13: 0.7
            case 13..<18: 0.95
            case 18..<22: 0.35
            default: 0.08
            }
        var calls =
            tenant.callsPerHour * day * (isWeekend ? 0.25 : 1) * Double(Self.stepSeconds) / 3600
        let weeks = Double(start - origin) / (7 * 86_400)
        var growth = 1.0
        for _ in 0..<Int(weeks) { growth *= tenant.growth }
        calls *= growth
        return calls
    }

    private mutating func appendCall(of tenant: Int, at start: Int64, to step: inout Step) {
        let tenant = tenants[tenant]
        let feature = features[pick(tenant.featureWeights)]
        let model = feature.models[pick(feature.models.map(\.weight))].model
        // Long tails: a few calls are many times the usual.
        let size = 0.35 + 0.9 / (0.08 + random.unit())
        let input = Int(feature.inputTokens * size * 0.35)
        append(
            tenant: tenant.name,
            user: "u-\(tenant.name.utf8.count)\(Int(random.unit() * Double(tenant.users)))",
            feature: feature.name, agent: feature.agent, model: model, input: input,
            cached: Int(Double(input) * feature.cachedShare * random.unit()),
            output: Int(feature.outputTokens * (0.3 + 1.4 * random.unit())),
            isError: random.unit() < 0.012, at: start, to: &step)
    }

    /// An agent of one customer that calls itself without end.
    private mutating func appendRunaway(at start: Int64, to step: inout Step) {
        let input = 24_000 + Int(random.unit() * 30_000)
        append(
            tenant: "granite-bank", user: "u-batch", feature: "agents.research", agent: "planner",
            model: Model(provider: "anthropic", name: "claude-sonnet-4-5"), input: input, cached: 0,
            output: 900 + Int(random.unit() * 700), isError: false, at: start, to: &step)
    }

    private mutating func append(
        tenant: String, user: String, feature: String, agent: String, model: Model, input: Int,
        cached: Int, output: Int, isError: Bool, at start: Int64, to step: inout Step
    ) {
        counter += 1
        let nanos = start * 1_000_000_000 + Int64(random.unit() * Double(Self.stepSeconds) * 1e9)
        var line: [UInt8] = []
        line.append("{\"id\":\"demo-\(counter)\",\"timestamp\":\"")
        RFC3339.append(unixNanos: nanos / 1_000_000 * 1_000_000, to: &line)
        line.append("\",\"tenant\":\"\(tenant)\",\"user\":\"\(user)\",\"feature\":\"\(feature)\"")
        if !agent.isEmpty { line.append(",\"agent\":\"\(agent)\"") }
        line.append(
            ",\"operation\":\"\(output == 0 ? "embeddings" : "chat")\",\"provider\":\"\(model.provider)\""
                + ",\"model\":\"\(model.name)\",\"input_tokens\":\(input)")
        if cached > 0 { line.append(",\"cached_input_tokens\":\(cached)") }
        if output > 0 { line.append(",\"output_tokens\":\(isError ? 0 : output)") }
        if isError { line.append(",\"status\":\"error\",\"stage\":\"execution\"") }
        line.append(",\"duration_ms\":\(200 + Int(random.unit() * 3000))}\n")
        step.body.append(contentsOf: line)
        step.calls += 1
    }

    private mutating func pick(_ weights: [Double]) -> Int {
        var rest = random.unit() * weights.reduce(0, +)
        for (index, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return index }
        }
        return weights.count - 1
    }

    /// Knuth's method: the expectations here are a few calls a step.
    private mutating func poisson(_ expected: Double) -> Int {
        var count = 0
        var sum = 0.0
        while true {
            sum += exponential()
            if sum > expected { return count }
            count += 1
        }
    }

    /// -ln(u), by halving into [0.5, 1) and the series of atanh.
    private mutating func exponential() -> Double {
        let u = max(random.unit(), 0x1p-53)
        let x = (u.significand - 1) / (u.significand + 1)
        let series = 2 * (x + x * x * x / 3 + x * x * x * x * x / 5 + x * x * x * x * x * x * x / 7)
        return -(series + Double(u.exponent) * 0.693_147_180_559_945_3)
    }
}
