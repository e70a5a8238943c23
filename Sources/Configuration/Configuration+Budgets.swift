internal import Aggregation
public import Budgets
internal import TimeZones
internal import Usage
internal import Wire

// `budgets`: a list of definitions. Left out, the built-in ones watch every tenant.
extension Configuration {
    static let budgetsMax = 1000
    static let overridesMax = 1000
    static let namesMax = 64
    private static let day: Int64 = 86_400_000_000_000

    /// What every tenant gets when nobody has said anything: $100 a month for models, $50 for
    /// compute, $150 in all, told at 80 and 100 %.
    public static let defaultBudgets: [BudgetDefinition] = {
        func budget(_ name: String, _ dollars: Int64, _ operation: String?) -> BudgetDefinition {
            BudgetDefinition(
                name: name,
                match: (operation.map {
                    [.init(dimension: .operation, pattern: Pattern([$0]))]
                }) ?? [],
                each: [.tenant], limit: NanoUSD(nanos: dollars * 1_000_000_000),
                thresholds: [800_000_000, 1_000_000_000].map { .init(ratioNanos: $0) })
        }
        return [
            budget("default-models", 100, "!compute"), budget("default-compute", 50, "compute"),
            budget("default-total", 150, nil),
        ]
    }()

    static func readBudgets(_ map: inout ConfigurationMap) -> [BudgetDefinition] {
        let ofEnvironment = budgetsOfEnvironment(map)
        var names: Set<String> = Set(ofEnvironment.map(\.name))
        let listed = map.maps("budgets", countMax: budgetsMax) { budget -> BudgetDefinition? in
            guard let definition = readBudget(&budget) else { return nil }
            guard names.insert(definition.name).inserted else {
                budget.fault("name", "\"\(definition.name)\" names another budget already")
                return nil
            }
            return definition
        }
        if listed == nil, ofEnvironment.isEmpty { return defaultBudgets }
        return (listed ?? []) + ofEnvironment
    }

    static func readBudget(_ map: inout ConfigurationMap) -> BudgetDefinition? {
        let name = map.name("name")
        let limit = map.amount("limit_usd")
        if limit == nil, !map.reader.isListingKeys, !map.has("limit_usd") {
            map.missing("limit_usd", "write the budget in dollars, such as 100")
        }
        var definition = BudgetDefinition(
            name: name ?? "", match: map.matches("match"), limit: limit ?? NanoUSD(nanos: 1))
        definition.each = map.list(
            "each", default: [], countMax: LabelKey.widthMax,
            expected: "a dimension, such as tenant or tags.team"
        ) { Dimension($0) }
        let labels = definition.each.map(\.labelName)
        if let twice = labels.first(where: { label in labels.filter { $0 == label }.count > 1 }) {
            map.fault("each", "two entries give the label \(twice); keep one")
        }
        let each = definition.each
        definition.overrides =
            map.maps("overrides", countMax: overridesMax) { override in
                let when = override.matches("when")
                if let other = when.first(where: { !each.contains($0.dimension) }) {
                    // The limit of a scope is decided by what names the scope.
                    override.fault(
                        "when",
                        "\(other.dimension) is not in each; there are "
                            + (each.isEmpty
                                ? "none" : each.map(\.description).joined(separator: ", ")))
                }
                if when.isEmpty, !override.reader.isListingKeys {
                    override.missing("when", "write whose limit it is, such as {tenant: premium}")
                }
                guard let limit = override.amount("limit_usd") else {
                    if !override.has("limit_usd"), !override.reader.isListingKeys {
                        override.missing("limit_usd", "write the limit in dollars, such as 400")
                    }
                    return nil
                }
                return BudgetDefinition.Override(when: when, limit: limit)
            } ?? []
        definition.period = readPeriod(&map)
        definition.thresholds = readThresholds(&map)
        definition.cooldownNanos = map.nanos(
            "cooldown", default: definition.cooldownNanos, in: 0...(30 * day))
        definition.burns = map.boolean("burn", default: !definition.period.isRolling)
        if definition.burns, definition.period.isRolling {
            map.fault("burn", "a rolling window has no end to compare the pace with; leave it out")
        }
        definition.forecasts = map.boolean("forecast", default: false)
        if definition.forecasts, definition.period.isRolling {
            map.fault("forecast", "a rolling window has no end to look ahead to; leave it out")
        } else if definition.forecasts, !definition.dimensions.allSatisfy(\.isLabel) {
            map.fault(
                "forecast", "is not known for conversations, tasks and requests; leave it out")
        }
        readRollover(&map, &definition)
        readIdle(&map, &definition)
        definition.enforcement = map.enforcement("enforce")
        if definition.enforcement?.pausesAutomatically == true, definition.each.count != 1 {
            map.fault("enforce", "auto_pause pauses the value of each; name one dimension there")
        }
        return name == nil || limit == nil ? nil : definition
    }

    private static func readRollover(
        _ map: inout ConfigurationMap, _ definition: inout BudgetDefinition
    ) {
        guard map.has("rollover") || map.reader.isListingKeys else { return }
        var rollover = map.map("rollover")
        definition.rolloverCap = rollover.scalar(
            "cap", default: 1_000_000_000, expected: "a part of the limit above 0 and up to 10"
        ) { text in
            guard case .value(let part) = FixedPoint.read(Array(text.utf8).span, scale: 9),
                part > 0, part <= 10_000_000_000
            else { return nil }
            return part
        }
        rollover.finish()
        if definition.period.isRolling {
            map.fault("rollover", "a rolling window has no period before it; leave it out")
        }
    }

    private static func readIdle(
        _ map: inout ConfigurationMap, _ definition: inout BudgetDefinition
    ) {
        definition.idleNanos = map.nanos(
            "idle", default: definition.idleNanos, in: 60_000_000_000...(366 * day))
        if map.has("idle"), !definition.hasShortLivedScopes {
            map.fault("idle", "is for budgets each of conversation, task or request; leave it out")
        }
    }

    private static func readPeriod(_ map: inout ConfigurationMap) -> PeriodRule {
        let kind: PeriodRule.Kind = map.word("period", default: .month)
        var zone = Zone.utc
        let name = map.string("timezone", default: "UTC")
        do throws(ZoneError) {
            zone = try Zone(named: name)
        } catch {
            map.fault("timezone", error.description)
        }
        var rule = PeriodRule(
            kind: kind, zone: zone, weekStart: map.word("week_start", default: .monday),
            resetHour: map.integer("reset_hour", default: 0, in: 0...23))
        rule.monthStartDay = map.integer("month_start_day", default: 1, in: 1...28)
        rule.rollingSeconds =
            map.nanos("rolling", default: 0, in: 60_000_000_000...(366 * day)) / 1_000_000_000
        if rule.isRolling {
            let other = ["period", "week_start", "reset_hour", "month_start_day"].first {
                map.has($0)
            }
            if let other {
                map.fault(other, "does not go with rolling: the window is always the last hours")
            }
        }
        return rule
    }

    private static func readThresholds(
        _ map: inout ConfigurationMap
    ) -> [BudgetDefinition.Threshold] {
        let read = map.thresholds("thresholds", countMax: BudgetDefinition.thresholdsMax)
        guard let read else { return BudgetDefinition.defaultThresholds }
        let ratios = read.map(\.ratioNanos)
        if let twice = read.first(where: { entry in
            ratios.filter { $0 == entry.ratioNanos }.count > 1
        }) {
            map.fault("thresholds", "\(twice.text) is there twice")
        }
        return read.sorted { $0.ratioNanos < $1.ratioNanos }
    }

    /// `COSTGAUGE_BUDGET_TENANT_MONTHLY_USD=100`: budgets without a file.
    private static func budgetsOfEnvironment(_ map: ConfigurationMap) -> [BudgetDefinition] {
        var budgets: [BudgetDefinition] = []
        for (scope, each) in [("GLOBAL", []), ("TENANT", [Dimension.tenant])] {
            for (word, kind) in [("DAILY", PeriodRule.Kind.day), ("MONTHLY", .month)] {
                let variable = "COSTGAUGE_BUDGET_\(scope)_\(word)_USD"
                guard let text = map.reader.use(variable) else { continue }
                guard let limit = NanoUSD(limit: text) else {
                    map.reader.fault(
                        nil, "budgets", "\"\(text)\" is not \(NanoUSD.limitText)",
                        variable: variable)
                    continue
                }
                budgets.append(
                    BudgetDefinition(
                        name: "env-\(scope)-\(word)".lowercased(), each: each,
                        period: PeriodRule(kind: kind), limit: limit))
            }
        }
        return budgets
    }
}

extension NanoUSD {
    static let limitText = "an amount in dollars above 0, such as 100 or 0.50"
    private static let limitNanosMax: Int64 = 1_000_000_000_000_000_000

    /// A budget's limit; nil when it is none. At most a thousand million dollars.
    init?(limit text: String) {
        guard case .value(let nanos) = NanoUSD.read(Array(text.utf8).span), nanos > 0,
            nanos <= Self.limitNanosMax
        else { return nil }
        self.init(nanos: nanos)
    }
}

// Kinds of values that budgets and alerts share.
extension ConfigurationMap {
    /// A name that goes into keys, labels and paths.
    mutating func name(_ key: String) -> String? {
        if reader.isListingKeys || has(key) {
            let name = scalar(
                key, default: "",
                expected: "a name of at most \(Configuration.namesMax) letters, digits, - _ and ."
            ) { text in
                let isPlain = text.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                        || (0x61...0x7a).contains(byte) || [0x2d, 0x2e, 0x5f].contains(byte)
                }
                return isPlain && !text.isEmpty && text.utf8.count <= Configuration.namesMax
                    ? text : nil
            }
            return name.isEmpty ? nil : name
        }
        missing(key, "every entry needs a name of its own")
        return nil
    }

    mutating func amount(_ key: String) -> NanoUSD? {
        scalar(key, default: nil, expected: NanoUSD.limitText) { text in
            NanoUSD(limit: text).map { .some($0) }
        }
    }

    func missing(_ key: String, _ message: String) {
        reader.fault(mark, self.key(key), "is missing; \(message)")
    }

    /// `{tenant: "*", tags.team: [growth, core]}`.
    mutating func matches(_ name: String) -> [BudgetDefinition.Match] {
        texts(name, countMax: 16).compactMap { entry in
            guard let dimension = Dimension(entry.name) else {
                reader.fault(
                    entry.mark, "\(key(name)).\(entry.name)",
                    "is no dimension; there are "
                        + Dimension.fixed.map(\.description).joined(separator: ", ")
                        + " and tags.NAME")
                return nil
            }
            guard !entry.values.isEmpty, !entry.values.contains("") else {
                reader.fault(
                    entry.mark, "\(key(name)).\(entry.name)",
                    "must be a text or a list of texts, none of them empty")
                return nil
            }
            return .init(dimension: dimension, pattern: Pattern(entry.values))
        }
    }
}
