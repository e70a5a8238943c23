import SQLite
import TestSupport
import Testing
import Usage

@testable import Budgets

@Suite struct BudgetCatalogueTests {
    /// Reads back what it has written: the real reader is Configuration's, which has its own test.
    private final class Shelf: @unchecked Sendable {
        // The tests have one thread.
        var known: [[UInt8]: BudgetDefinition] = [:]
        var told: [String] = []

        func json(_ definition: BudgetDefinition) -> BudgetDefinition {
            known[definition.json] = definition
            return definition
        }
    }

    private let shelf = Shelf()

    private func catalogue(_ configured: [BudgetDefinition] = []) -> BudgetCatalogue {
        let shelf = shelf
        return BudgetCatalogue(configured: configured) { name, _ in
            shelf.told.append(name)
        } read: { json in
            shelf.known[json].map { .definition($0) } ?? .faults(["unknown"])
        }
    }

    private func database() throws -> Database {
        let database = try Database(path: ":memory:", mode: .readWrite)
        try database.execute(LimitSchema.tables)
        return database
    }

    private func budget(_ name: String, _ limit: Int64 = 1) -> BudgetDefinition {
        shelf.json(BudgetHarness.budget(limit, name: name))
    }

    @Test func `a change is in force after its transaction, with a version that grows`() throws {
        let catalogue = catalogue([budget("file")])
        let database = try database()
        for (limit, version) in [(1, 1), (2, 2)] as [(Int64, Int64)] {
            guard
                case .changed(let all, let stored?) = try catalogue.put(
                    budget("a", limit), in: database, now: 7)
            else {
                Issue.record("refused")
                return
            }
            #expect(all.map(\.name) == ["file", "a"] && stored.version == version)
            #expect(catalogue.stored("a")?.version == (version == 1 ? nil : 1))
            catalogue.changed(isDurable: true)
            #expect(catalogue.stored("a")?.definition.limit.nanos == limit * 1_000_000_000)
        }
        _ = try catalogue.delete("a", in: database)
        catalogue.changed(isDurable: false)
        #expect(catalogue.stored("a") != nil)
        _ = try catalogue.delete("a", in: database)
        catalogue.changed(isDurable: true)
        #expect(catalogue.definitions.map(\.name) == ["file"])
    }

    @Test func `the configuration's name wins, and the stored one waits`() throws {
        let catalogue = catalogue()
        let database = try database()
        _ = try catalogue.put(budget("a", 1), in: database, now: 7)
        catalogue.changed(isDurable: true)
        #expect(
            catalogue.definitions(with: [budget("a", 9)]).map(\.limit.nanos) == [9_000_000_000])
        catalogue.configure([budget("a", 9)])
        #expect(catalogue.isConfigured("a"))
        catalogue.configure([])
        #expect(catalogue.definitions.map(\.limit.nanos) == [1_000_000_000])
    }

    @Test func `stored budgets come back at a start, and one not understood is told`() throws {
        let database = try database()
        let before = catalogue()
        for name in ["a", "b"] {
            _ = try before.put(budget(name), in: database, now: 7)
            before.changed(isDurable: true)
        }
        shelf.known[budget("b").json] = nil
        let after = catalogue()
        try after.load(from: database)
        #expect(after.definitions.map(\.name) == ["a"] && shelf.told == ["b"])
    }

    @Test func `there is room for a thousand`() throws {
        let catalogue = catalogue()
        let database = try database()
        for number in 0..<BudgetCatalogue.countMax {
            _ = try catalogue.put(budget("b\(number)"), in: database, now: 7)
            catalogue.changed(isDurable: true)
        }
        guard case .full = try catalogue.put(budget("more"), in: database, now: 7),
            case .changed = try catalogue.put(budget("b7", 2), in: database, now: 7)
        else {
            Issue.record("not full")
            return
        }
    }
}
