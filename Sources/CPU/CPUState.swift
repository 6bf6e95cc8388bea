// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// A segment register with its hidden part (Intel SDM volume 3, section 3.4.3).
public struct SegmentState: Codable, Equatable, Sendable {
  public var selector: UInt16 = 0
  public var base: UInt64 = 0
  /// In bytes: the granularity is already applied.
  public var limit: UInt32 = 0
  /// Type (bits 0…3), S (4), DPL (5…6), P (7), AVL (8), L (9), D/B (10), G (11); bit 12 set: unusable.
  public var attributes: UInt16 = 0
  public init() {}
}

/// A descriptor table register.
public struct TableState: Codable, Equatable, Sendable {
  public var base: UInt64 = 0
  public var limit: UInt16 = 0
  public init() {}
}

/// Everything a virtual CPU keeps, in terms no engine owns, so that a state saved under one engine can be
/// restored under another.
public struct CPUState: SavedState {
  public static let version = 1
  /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 … R15: the order of the instruction encoding.
  public var general: [UInt64] = Array(repeating: 0, count: 16)
  public var rip: UInt64 = 0
  public var rflags: UInt64 = 2
  /// ES, CS, SS, DS, FS, GS: the order of the instruction encoding.
  public var segments: [SegmentState] = Array(repeating: SegmentState(), count: 6)
  public var ldtr = SegmentState()
  public var tr = SegmentState()
  public var gdtr = TableState()
  public var idtr = TableState()
  public var cr0: UInt64 = 0
  public var cr2: UInt64 = 0
  public var cr3: UInt64 = 0
  public var cr4: UInt64 = 0
  public var cr8: UInt64 = 0
  public var efer: UInt64 = 0
  /// The four page directory pointers of PAE paging, read when CR3 was loaded; nil if another paging mode is in use
  /// or the engine does not tell: then they are in memory, which is to be restored before.
  public var pageDirectoryPointers: [UInt64]?
  public var xcr0: UInt64 = 1
  /// DR0 … DR3, DR6, DR7.
  public var debug: [UInt64] = [0, 0, 0, 0, 0xFFFF_0FF0, 0x400]
  /// The XSAVE area in its standard format (SDM volume 1, section 13.4), at least the 512-byte legacy region.
  public var xsave: [UInt8] = []
  /// Model-specific registers by number.
  public var msrs: [UInt32: UInt64] = [:]
  /// The 4 KiB local APIC page's registers, one of 64 every 16 bytes (SDM volume 3, table 10-1).
  public var localAPIC: [UInt32] = []
  public var activity = Activity.running
  public var pending = PendingEvents()
  public init() {}

  /// What the CPU is doing.
  public enum Activity: String, Codable, Sendable {
    case running
    case halted
    /// Waits for an INIT, as the application processors do after reset.
    case waitingForInit
    /// Had its INIT and waits for a start-up IPI.
    case waitingForStartup
  }

  /// Events on their way into the guest.
  public struct PendingEvents: Codable, Equatable, Sendable {
    /// Vector of an exception being delivered.
    public var exception: UInt8?
    public var exceptionErrorCode: UInt32?
    /// Vector of an interrupt being delivered.
    public var interrupt: UInt8?
    public var interruptIsSoft = false
    /// Interrupts are held off for one instruction (after STI or MOV SS).
    public var interruptShadow: UInt8 = 0
    public var nmiPending = false
    public var nmiInjected = false
    public var nmiMasked = false
    public var startupVector: UInt8 = 0
    public init() {}
  }
}

/// The interrupt controllers and timers that live in the engine, in terms of their data sheets.
public struct PlatformState: SavedState {
  public static let version = 1
  /// The two 8259A.
  public var pics: [PIC] = [PIC(), PIC()]
  public var ioapic = IOAPIC()
  public var pit = PIT()
  /// Nanoseconds of the paravirtual clock, if the engine has one.
  public var paravirtualClock: UInt64?
  public init() {}

  /// An 8259A (Intel data sheet 231468).
  public struct PIC: Codable, Equatable, Sendable {
    public var lastIRR: UInt8 = 0
    public var irr: UInt8 = 0
    public var imr: UInt8 = 0
    public var isr: UInt8 = 0
    public var priorityAdd: UInt8 = 0
    public var irqBase: UInt8 = 0
    public var readRegisterSelect: UInt8 = 0
    public var poll: UInt8 = 0
    public var specialMask: UInt8 = 0
    public var initState: UInt8 = 0
    public var autoEOI: UInt8 = 0
    public var rotateOnAutoEOI: UInt8 = 0
    public var specialFullyNested: UInt8 = 0
    public var init4: UInt8 = 0
    public var elcr: UInt8 = 0
    public var elcrMask: UInt8 = 0
    public init() {}
  }

  /// The 82093AA.
  public struct IOAPIC: Codable, Equatable, Sendable {
    public var baseAddress: UInt64 = 0xFEC0_0000
    public var registerSelect: UInt32 = 0
    public var id: UInt32 = 0
    public var irr: UInt32 = 0
    /// The levels of the 24 inputs; nil if the engine does not tell.
    public var lines: UInt32?
    /// 24 redirection entries.
    public var redirection: [UInt64] = Array(repeating: 1 << 16, count: 24)
    public init() {}
  }

  /// The 8254 (Intel data sheet 231164).
  public struct PIT: Codable, Equatable, Sendable {
    public var channels: [Channel] = Array(repeating: Channel(), count: 3)
    /// Whether counter 2's OUT drives the speaker (port 0x61 bit 1), as KVM keeps it.
    public var flags: UInt32 = 0
    public init() {}

    /// One counter.
    public struct Channel: Codable, Equatable, Sendable {
      public var count: UInt32 = 0
      public var latchedCount: UInt16 = 0
      public var countLatched: UInt8 = 0
      public var statusLatched: UInt8 = 0
      public var status: UInt8 = 0
      public var readState: UInt8 = 0
      public var writeState: UInt8 = 0
      public var writeLatch: UInt8 = 0
      public var accessMode: UInt8 = 0
      public var mode: UInt8 = 0
      public var bcd: UInt8 = 0
      public var gate: UInt8 = 0
      /// Nanoseconds since the count was loaded; negative if it is yet to be.
      public var sinceLoad: Int64 = 0
      /// A count that takes effect later: at the end of the period or at the trigger; nil if the engine keeps none.
      public var pendingCount: UInt32?
      /// Whether there has been a control word but no count since; nil if the engine does not tell.
      public var awaitsCount: Bool?
      public init() {}
    }
  }
}
