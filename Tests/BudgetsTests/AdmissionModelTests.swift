import Foundation
import Ledger
import SQLite
import Synchronization
import TestSupport
import Testing
import Usage
import Wire

@testable import Budgets

/// What admission should be, in the simplest words: sums over lists.
private struct AdmissionModel {
    enum State { case live, settled, ended }

    struct Entry {
        let tenant: String
        let amount: Int64
        let expiresAt: Int64
        var state = State.live
        /// An ordinary event has named it after its end.
        var isUsed = false
    }

    static let day: Int64 = 86_400 * 1_000_000_000
    var limit: Int64
    var entries: [String: Entry] = [:]
    var spends: [(tenant: String, day: Int64, amount: Int64)] = []

    func spent(_ tenant: String, now: Int64) -> Int64 {
        spends.filter { $0.tenant == tenant && $0.day == now / Self.day }
            .reduce(0) { $0 + $1.amount }
    }

    func isLive(_ entry: Entry, now: Int64) -> Bool {
        entry.state == .live && entry.expiresAt > now
    }

    func reserved(_ tenant: String, now: Int64) -> Int64 {
        entries.values.filter { $0.tenant == tenant && isLive($0, now: now) }
            .reduce(0) { $0 + $1.amount }
    }

    func allows(_ tenant: String, _ amount: Int64, now: Int64) -> Bool {
        let used = spent(tenant, now: now) + reserved(tenant, now: now)
        return used + amount <= limit && used < limit
    }

    /// True when the event counts.
    mutating func event(_ tenant: String, _ amount: Int64, naming id: String?, now: Int64) -> Bool {
        if let id, let entry = entries[id], entry.tenant == tenant {
            if entry.state == .settled { return false }
            if isLive(entry, now: now) {
                entries[id]?.state = .settled
            } else {
                entries[id]?.isUsed = true
            }
        }
        spends.append((tenant, now / Self.day, amount))
        return true
    }
}

/// The engine on a store in memory beside the model; one seed, one life.
private final class AdmissionRun {
    static let tenants = ["a", "b", "c"]
    let harness: BudgetHarness
    var model = AdmissionModel(limit: 50)
    var random: SeededRandom
    var ids: [String] = []

    init(seed: UInt64) throws {
        random = SeededRandom(seed: seed)
        harness = try BudgetHarness([Self.budget(50)])
    }

    static func budget(_ limit: Int64) -> BudgetDefinition {
        var budget = BudgetHarness.budget(limit, kind: .day)
        budget.enforcement = Enforcement()
        return budget
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
        case 40..<70: try event()
        case 70..<80: try release()
        case 80..<92: harness.advance(seconds: Int64(random.below(200)))
        case 92..<95: harness.advance(seconds: 86_400)
        case 95..<98: try crash()
        default: try changeLimit()
        }
        if random.chance(50) { try harness.tick() }
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
        for _ in 0...random.below(3) {
            let id = !ids.isEmpty && random.chance(70) ? random.pick(Array(ids.suffix(12))) : nil
            let owner = id.flatMap { model.entries[$0]?.tenant }
            let tenant =
                random.chance(90) ? owner ?? random.pick(Self.tenants) : random.pick(Self.tenants)
            let amount = Int64(1 + random.below(8))
            var (event, _) = harness.event(Double(amount), tenant: tenant)
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
                entry.tenant, entry.amount, naming: entry.id, now: harness.now)
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
        try harness.checkpoint()
        try harness.restart([Self.budget(model.limit)])
    }

    private func changeLimit() throws {
        model.limit = Int64(20 + random.below(60))
        try harness.redefine([Self.budget(model.limit)])
    }

    /// The engine's numbers beside the model's, tenant by tenant.
    func compare() -> String? {
        for tenant in Self.tenants {
            let decision = harness.engine.check(request(tenant, 0), now: harness.now)
            let found = [
                (decision.budget?.spent.nanos ?? 0) / 1_000_000_000,
                (decision.budget?.reserved.nanos ?? 0) / 1_000_000_000,
                (decision.budget?.limit.nanos ?? 0) / 1_000_000_000,
            ]
            let expected = [
                model.spent(tenant, now: harness.now), model.reserved(tenant, now: harness.now),
                model.limit,
            ]
            if found != expected { return "\(tenant): \(found) is not \(expected)" }
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
        #expect(run.compare() == nil)
        run.model.limit += 1
        #expect(run.compare() != nil)
    }
}
