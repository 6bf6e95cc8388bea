// SPDX-License-Identifier: GPL-2.0-or-later
/* What Swift cannot import of <linux/kvm.h>: request numbers made by the _IO macros, and the atomic accesses
   that the memory shared with the kernel needs. No logic here. */
#pragma once
#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define MARTLET_REQUEST(name) static const unsigned long martlet_##name = name;
/* /dev/kvm */
MARTLET_REQUEST(KVM_GET_API_VERSION)
MARTLET_REQUEST(KVM_CREATE_VM)
MARTLET_REQUEST(KVM_CHECK_EXTENSION)
MARTLET_REQUEST(KVM_GET_VCPU_MMAP_SIZE)
MARTLET_REQUEST(KVM_GET_SUPPORTED_CPUID)
MARTLET_REQUEST(KVM_GET_MSR_INDEX_LIST)
MARTLET_REQUEST(KVM_X86_GET_MCE_CAP_SUPPORTED)
/* The VM */
MARTLET_REQUEST(KVM_SET_TSS_ADDR)
MARTLET_REQUEST(KVM_SET_IDENTITY_MAP_ADDR)
MARTLET_REQUEST(KVM_CREATE_IRQCHIP)
MARTLET_REQUEST(KVM_CREATE_PIT2)
MARTLET_REQUEST(KVM_SET_BOOT_CPU_ID)
MARTLET_REQUEST(KVM_CREATE_VCPU)
MARTLET_REQUEST(KVM_SET_USER_MEMORY_REGION)
MARTLET_REQUEST(KVM_GET_DIRTY_LOG)
MARTLET_REQUEST(KVM_REGISTER_COALESCED_MMIO)
MARTLET_REQUEST(KVM_UNREGISTER_COALESCED_MMIO)
MARTLET_REQUEST(KVM_IRQ_LINE)
MARTLET_REQUEST(KVM_SET_GSI_ROUTING)
MARTLET_REQUEST(KVM_SIGNAL_MSI)
MARTLET_REQUEST(KVM_GET_IRQCHIP)
MARTLET_REQUEST(KVM_SET_IRQCHIP)
MARTLET_REQUEST(KVM_GET_PIT2)
MARTLET_REQUEST(KVM_SET_PIT2)
MARTLET_REQUEST(KVM_GET_CLOCK)
MARTLET_REQUEST(KVM_SET_CLOCK)
/* A vCPU */
MARTLET_REQUEST(KVM_RUN)
MARTLET_REQUEST(KVM_SET_CPUID2)
MARTLET_REQUEST(KVM_GET_REGS)
MARTLET_REQUEST(KVM_SET_REGS)
MARTLET_REQUEST(KVM_GET_SREGS)
MARTLET_REQUEST(KVM_SET_SREGS)
MARTLET_REQUEST(KVM_GET_SREGS2)
MARTLET_REQUEST(KVM_SET_SREGS2)
MARTLET_REQUEST(KVM_GET_MSRS)
MARTLET_REQUEST(KVM_SET_MSRS)
MARTLET_REQUEST(KVM_GET_XSAVE)
MARTLET_REQUEST(KVM_GET_XSAVE2)
MARTLET_REQUEST(KVM_SET_XSAVE)
MARTLET_REQUEST(KVM_GET_XCRS)
MARTLET_REQUEST(KVM_SET_XCRS)
MARTLET_REQUEST(KVM_GET_DEBUGREGS)
MARTLET_REQUEST(KVM_SET_DEBUGREGS)
MARTLET_REQUEST(KVM_GET_VCPU_EVENTS)
MARTLET_REQUEST(KVM_SET_VCPU_EVENTS)
MARTLET_REQUEST(KVM_GET_MP_STATE)
MARTLET_REQUEST(KVM_SET_MP_STATE)
MARTLET_REQUEST(KVM_GET_LAPIC)
MARTLET_REQUEST(KVM_SET_LAPIC)
MARTLET_REQUEST(KVM_NMI)
MARTLET_REQUEST(KVM_TRANSLATE)
MARTLET_REQUEST(KVM_SET_GUEST_DEBUG)
MARTLET_REQUEST(KVM_SET_TSC_KHZ)
MARTLET_REQUEST(KVM_GET_TSC_KHZ)
MARTLET_REQUEST(KVM_KVMCLOCK_CTRL)
MARTLET_REQUEST(KVM_X86_SETUP_MCE)
#undef MARTLET_REQUEST

/* Flags defined with a cast or a shift that Swift does not import. */
static const uint64_t martlet_KVM_SREGS2_FLAGS_PDPTRS_VALID = KVM_SREGS2_FLAGS_PDPTRS_VALID;
static const uint32_t martlet_KVM_MEM_LOG_DIRTY_PAGES = KVM_MEM_LOG_DIRTY_PAGES;
static const uint32_t martlet_KVM_MEM_READONLY = KVM_MEM_READONLY;
static const uint64_t martlet_KVM_EMULATION_HAS_BYTES = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;

/* Runs the guest: 0, or the negated errno. */
static inline int martlet_kvm_run(int vcpu) { return ioctl(vcpu, KVM_RUN, 0) < 0 ? -errno : 0; }

/* Members of the run area's unnamed unions, by address. */
static inline uint8_t *martlet_kvm_mmio_data(struct kvm_run *run) { return run->mmio.data; }
static inline uint8_t *martlet_kvm_failed_instruction(struct kvm_run *run) {
  return run->emulation_failure.insn_bytes;
}
static inline unsigned martlet_kvm_failed_instruction_size(const struct kvm_run *run) {
  return run->emulation_failure.insn_size;
}

/* immediate_exit is written by any thread and read by the kernel. */
static inline void martlet_kvm_set_immediate_exit(struct kvm_run *run, uint8_t value) {
  __atomic_store_n(&run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

/* The ring of coalesced writes: the kernel fills it at `last`, the program empties it at `first`. */
static inline uint32_t martlet_kvm_ring_last(const struct kvm_coalesced_mmio_ring *ring) {
  return __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
}
static inline void martlet_kvm_ring_set_first(struct kvm_coalesced_mmio_ring *ring, uint32_t first) {
  __atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
}

/* The real-time signal that takes a thread out of KVM_RUN, and a handler for it that does nothing. */
int martlet_kvm_kick_signal(void);
int martlet_kvm_install_kick_handler(void);
