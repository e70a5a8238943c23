import Foundation
import Ledger
import SQLite
import Synchronization
import TestSupport
import Testing
import Usage
import Wire

@testable import Budgets

/// The engine on a store in memory beside the model; one seed, one life.
private final class AdmissionRun {
    static let tenants = ["a", "b", "c"]
    let harness: BudgetHarness
    var model = AdmissionModel()
    var random: SeededRandom
    var ids: [String] = []
    /// Committed since the last checkpoint.
    private var tail: [(CostEvent, String)] = []

    init(seed: UInt64) throws {
        random = SeededRandom(seed: seed)
        harness = try BudgetHarness(Self.budgets(model))
        model.decideCarry(now: harness.now)
    }

    /// By day with what was left of the day before, and always the last hour.
    static func budgets(_ model: AdmissionModel) -> [BudgetDefinition] {
        var daily = BudgetHarness.budget(model.daily, kind: .day, name: "daily")
        daily.rolloverCap = AdmissionModel.cap
        var rolling = BudgetHarness.budget(model.rolling, name: "rolling")
        rolling.period.rollingSeconds = AdmissionModel.window
        daily.enforcement = Enforcement()
        rolling.enforcement = Enforcement()
        return [daily, rolling]
    }

    private func nanos(_ dollars: Int64) -> Int64 { dollars * 1_000_000_000 }

    private func request(_ tenant: String, _ dollars: Int64) -> AdmissionRequest {
        let (event, _) = harness.event(Double(dollars), tenant: tenant)
        return AdmissionRequest(
            event: event, rows: EventRows(), estimate: NanoUSD(nanos: nanos(dollars)))
    }

    private func transaction(isLost: Bool, _ body: () throws -> Void) throws {
        try harness.database.execute("begin")
        try body()
        try harness.database.execute(isLost ? "rollback" : "commit")
    }

    func step() throws {
        switch random.below(100) {
        case 0..<40: try reserve()
        case 40..<68: try event()
        case 68..<76: try release()
        case 76..<88: harness.advance(seconds: Int64(random.below(200)))
        case 88..<90: harness.advance(seconds: Int64(random.below(5000)))
        case 90..<92: harness.advance(seconds: 86_400)
        case 92..<94: try crash()
        case 94..<96: try changeLimit()
        case 96..<98: try changeScope()
        default: try reset()
        }
        if random.chance(50) {
            // Twice: after a change of definitions the first one looks, the second passes time.
            try harness.tick()
            model.decideCarry(now: harness.now)
        }
    }

    private func reserve() throws {
        let tenant = random.pick(Self.tenants)
        let amount = Int64(1 + random.below(20))
        let id = "r\(ids.count)"
        let expiresAt = harness.now + Int64(1 + random.below(600)) * BudgetHarness.second
        let request = request(tenant, amount)
        let body = Array("{\"tenant\":\"\(tenant)\"}".utf8)
        let expected = model.allows(tenant, amount, now: harness.now)
        guard
            case .decided(let decision) = harness.engine.hold(
                request, id: id, body: body, expiresAt: expiresAt, now: harness.now)
        else {
            Issue.record("\(id) is known")
            return
        }
        #expect((decision.verdict != .deny) == expected)
        guard decision.verdict != .deny else { return }
        ids.append(id)
        let isLost = random.chance(10)
        try transaction(isLost: isLost) {
            let isNew = try ReservationTable.insert(
                StoredReservation(
                    id: id, tenant: tenant, phase: .live, isUsed: false,
                    estimate: request.estimate, body: body, expiresAt: expiresAt),
                into: harness.database, now: harness.now)
            #expect(isNew)
        }
        harness.engine.admission.withLock { state in
            if isLost { _ = state.remove(id) } else { state.confirm(id) }
        }
        if !isLost {
            model.entries[id] = AdmissionModel.Entry(
                tenant: tenant, amount: amount, expiresAt: expiresAt)
        }
    }

    /// One commit of up to three events; some name a reservation, some one of another tenant.
    private func event() throws {
        let batch = EventBatch()
        var wanted: [(tenant: String, amount: Int64, id: String?)] = []
        // Some come a day late.
        let at = harness.now - (random.chance(15) ? 86_400 * BudgetHarness.second : 0)
        for _ in 0...random.below(3) {
            let id = !ids.isEmpty && random.chance(70) ? random.pick(Array(ids.suffix(12))) : nil
            let owner = id.flatMap { model.entries[$0]?.tenant }
            let tenant =
                random.chance(90) ? owner ?? random.pick(Self.tenants) : random.pick(Self.tenants)
            let amount = Int64(1 + random.below(8))
            var (event, _) = harness.event(Double(amount), tenant: tenant, at: at)
            if let id { event.reservation = batch.rows.append(Array(id.utf8).span) }
            batch.rows.events.append(event)
            wanted.append((tenant, amount, id))
        }
        let isLost = random.chance(10)
        try harness.engine.admit(
            batch, 0..<batch.count, in: harness.database, now: harness.now)
        var after = model
        for (index, entry) in wanted.enumerated() {
            let counts = after.event(
                entry.tenant, entry.amount, naming: entry.id, at: at / BudgetHarness.second,
                now: harness.now)
            #expect(batch.rows.events[index].isDuplicate == !counts, "\(entry)")
        }
        try transaction(isLost: isLost) {
            try harness.engine.prepare([batch], in: harness.database, now: harness.now)
        }
        if isLost {
            harness.engine.rolledBack()
        } else {
            harness.engine.committed()
            model = after
            for var event in batch.rows.events where !event.isDuplicate {
                event.reservation = CostEvent().reservation
                tail.append((event, ""))
            }
        }
    }

    private func release() throws {
        guard !ids.isEmpty else { return }
        let id = random.pick(Array(ids.suffix(12)))
        guard let entry = model.entries[id], model.isLive(entry, now: harness.now) else { return }
        try transaction(isLost: false) {
            try ReservationTable.end(id, .released, in: harness.database, now: harness.now)
        }
        harness.engine.admission.withLock { _ = $0.remove(id) }
        model.entries[id]?.state = .ended
    }

    private func crash() throws {
        if random.chance(50) {
            try harness.checkpoint()
            tail.removeAll()
        }
        try harness.restart(Self.budgets(model), replaying: tail)
        // A start looks at the time before anybody asks.
        model.decideCarry(now: harness.now)
    }

    private func changeLimit() throws {
        if random.chance(50) {
            model.daily = Int64(20 + random.below(60))
        } else {
            model.rolling = Int64(10 + random.below(40))
        }
        try harness.redefine(Self.budgets(model))
    }

    /// Sets the limit of one scope, for a while or for good, or takes it back.
    private func changeScope() throws {
        let tenant = random.pick(Self.tenants)
        let budget = random.pick(AdmissionModel.budgets)
        var limit: AdmissionModel.Limit?
        if random.chance(70) {
            let until = random.chance(60) ? harness.seconds + Int64(1 + random.below(4000)) : nil
            limit = .init(dollars: Int64(5 + random.below(90)), until: until)
        }
        let set = limit.map {
            ScopeLimit(limit: NanoUSD(nanos: nanos($0.dollars)), until: $0.until)
        }
        let isLost = random.chance(10)
        try (isLost ? harness.losing : harness.change) { engine, database, now in
            _ = try engine.setLimit(
                set, budget: budget, scope: "tenant=\(tenant)", in: database, now: now)
        }
        if !isLost { model.limits["\(budget) \(tenant)"] = limit }
    }

    private func reset() throws {
        let tenant = random.chance(70) ? random.pick(Self.tenants) : nil
        let budget = random.pick(AdmissionModel.budgets)
        let isLost = random.chance(10)
        try (isLost ? harness.losing : harness.change) { engine, database, now in
            _ = try engine.reset(
                budget: budget, scope: tenant.map { "tenant=\($0)" }, in: database, now: now)
        }
        if !isLost { model.reset(budget, tenant, now: harness.now) }
    }

    /// As every question for admission does first.
    func expire() { harness.engine.admission.withLock { $0.expire(now: harness.now) } }

    /// The engine's numbers beside the model's, tenant by tenant.
    func compare() -> String? {
        let (book, reserved) = harness.engine.snapshot
        for (index, table) in book.tables.enumerated() {
            let name = table.definition.name
            let period = table.definition.period.period(containing: harness.seconds)
            for tenant in Self.tenants {
                let number = table.number(of: "tenant=\(tenant)")
                let scope = number.map { table.scopes[$0] }
                let held = reserved[index]
                let expected = [
                    model.spent(name, tenant, now: harness.now),
                    model.reserved(tenant, now: harness.now),
                    scope == nil ? 0 : model.limit(name, tenant, now: harness.now),
                ]
                let found = [
                    scope?.nanos(in: period, table.definition.period, at: harness.seconds) ?? 0,
                    number.map { $0 < held.count ? held[$0] : 0 } ?? 0,
                    scope?.limit(in: period, at: harness.seconds).nanos ?? 0,
                ].map { $0 / 1_000_000_000 }
                if found != expected { return "\(name) \(tenant): \(found) is not \(expected)" }
            }
        }
        return nil
    }
}

@Suite struct AdmissionModelTests {
    /// More by SIMULATION_STEPS, in the environment of the tests.
    private static let steps =
        ProcessInfo.processInfo.environment["SIMULATION_STEPS"].flatMap { Int($0) } ?? 8000

    @Test
    func `P12 reservations, events, crashes and changes in any order agree with a plain model`()
        throws
    {
        for seed in 0..<8 {
            let run = try AdmissionRun(seed: UInt64(seed))
            for step in 0..<Self.steps / 8 {
                try run.step()
                run.expire()
                if let difference = run.compare() {
                    Issue.record("seed \(seed), step \(step): \(difference)")
                    return
                }
            }
            #expect(run.ids.count > Self.steps / 100)
        }
    }

    @Test func `the comparison finds a planted fault`() throws {
        let run = try AdmissionRun(seed: 1)
        for _ in 0..<50 { try run.step() }
        run.expire()
        #expect(run.compare() == nil)
        run.model.rolling += 1
        #expect(run.compare() != nil)
    }
}
