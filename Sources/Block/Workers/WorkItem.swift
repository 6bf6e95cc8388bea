// SPDX-License-Identifier: GPL-2.0-or-later

/// Something a worker thread does: a subclass says what. It can be in one ``WorkList`` at a time.
class WorkItem: @unchecked Sendable {
  // Unchecked: `next` belongs to the list the item is in, and so to that list's guard.
  fileprivate var next: WorkItem?

  /// Does the work, on a worker thread, with no lock held.
  func run() {}
}

/// A first-in-first-out list threaded through its items, so that queueing allocates nothing.
struct WorkList {
  private var head: WorkItem?
  private unowned(unsafe) var tail: WorkItem?

  /// Whether there is nothing in it.
  var isEmpty: Bool { head == nil }
  /// The oldest item.
  var first: WorkItem? { head }

  /// Adds an item at the end.
  mutating func append(_ item: WorkItem) {
    if let tail { tail.next = item } else { head = item }
    tail = item
  }

  /// Adds the items of another list at the end, in their order.
  mutating func append(contentsOf other: consuming WorkList) {
    guard let first = other.head else { return }
    if let tail { tail.next = first } else { head = first }
    tail = other.tail
  }

  /// Takes the oldest item out.
  mutating func popFirst() -> WorkItem? {
    guard let item = head else { return nil }
    head = item.next
    item.next = nil
    if head == nil { tail = nil }
    return item
  }

  /// Takes one item out.
  /// - Returns: false if it was not in the list.
  mutating func remove(_ item: WorkItem) -> Bool {
    if head === item {
      _ = popFirst()
      return true
    }
    var previous = head
    while let candidate = previous?.next {
      if candidate === item {
        previous?.next = item.next
        item.next = nil
        if tail === item { tail = previous }
        return true
      }
      previous = candidate
    }
    return false
  }
}
