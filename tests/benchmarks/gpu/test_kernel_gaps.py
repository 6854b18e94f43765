"""Kernels by what they are for, the least that each kind can take, and the gaps in their order."""

from dataclasses import replace

import pytest

from benchmarks.gpu import kernel_gaps
from benchmarks.gpu.kernel_gaps import Ceilings, Kernel, floors, gaps, kind_of
from pretraining.model.config import BertConfig
from pretraining.planning.flops import Work, training_flops

# Names as torch's profiler gives them on Hopper and Ampere, of eager and compiled steps, and on the CPU.
NAMES = {
    "nvjet_tst_256x128_64x4_2x1_v_bz_coopA_TNT": kernel_gaps.PRODUCTS,
    "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_cublas": kernel_gaps.PRODUCTS,
    "sm90_xmma_gemm_e4m3e4m3_f32f32_tn_n": kernel_gaps.PRODUCTS,
    "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_256x128_32x3_nn_align8>": kernel_gaps.PRODUCTS,
    "void cublasLt::splitKreduce_kernel<32, 16, int, float, __nv_bfloat16, float>": kernel_gaps.PRODUCTS,
    "aten::addmm": kernel_gaps.PRODUCTS,
    "mkldnn::_linear_pointwise": kernel_gaps.PRODUCTS,
    "void pytorch_flash::flash_fwd_kernel<Flash_fwd_kernel_traits<64, cutlass::bfloat16_t>>": kernel_gaps.ATTENTION,
    "void pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<cutlass::half_t>": kernel_gaps.ATTENTION,
    "fmha_cutlassF_bf16_aligned_64x64_rf_sm80": kernel_gaps.ATTENTION,
    "void at::native::multi_tensor_apply_kernel<Metadata, FusedAdamMathFunctor<float>>": kernel_gaps.OPTIMISER,
    "void at::native::elementwise_kernel<128, 4, at::native::direct_copy_kernel_cuda(at::Iter)>": kernel_gaps.COPIES,
    "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>>": kernel_gaps.COPIES,
    "Memcpy HtoD (Pinned -> Device)": kernel_gaps.COPIES,
    "Memset (Device)": kernel_gaps.COPIES,
    "triton_poi_fused__to_copy_12": kernel_gaps.COPIES,
    "triton_poi_fused__to_copy_t_7": kernel_gaps.COPIES,
    "triton_poi_fused__to_copy_gelu_3": kernel_gaps.ELEMENTWISE,
    "triton_per_fused__to_copy_add_native_dropout_native_layer_norm_5": kernel_gaps.ELEMENTWISE,
    "triton_red_fused__log_softmax_nll_loss_forward_9": kernel_gaps.ELEMENTWISE,
    "void at::native::vectorized_elementwise_kernel<4, at::native::GeluCUDAKernelImpl>": kernel_gaps.ELEMENTWISE,
    "void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float>": kernel_gaps.ELEMENTWISE,
    "void at::native::(anonymous namespace)::fused_dropout_kernel_vec<float, float>": kernel_gaps.ELEMENTWISE,
    "void at::native::elementwise_kernel<128, 2, at::native::mul({lambda(float)#1})>": kernel_gaps.ELEMENTWISE,
    "void at::native::(anonymous namespace)::indexSelectLargeIndex<float, long>": kernel_gaps.LOOK_UPS,
    "void at::native::(anonymous namespace)::compute_grad_weight<float, long>": kernel_gaps.LOOK_UPS,
    "triton_poi_fused_embedding_dense_backward_7": kernel_gaps.LOOK_UPS,
}
CONFIG = BertConfig.named("large")
WORK = Work(tokens=1000, squared_tokens=100_000, masked_tokens=150, sequences=10)
CEILINGS = Ceilings(flops=1e14, bytes=1e12)


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_is_known_by_its_name(name: str) -> None:
    assert kind_of(name) == NAMES[name]


def test_products_and_attention_make_up_the_flops_of_a_step() -> None:
    least = floors(CONFIG, WORK, CEILINGS)
    flops = (least[kernel_gaps.PRODUCTS] + least[kernel_gaps.ATTENTION]) * CEILINGS.flops
    assert flops == pytest.approx(training_flops(CONFIG, WORK))
    # 24 layers, forward once and backward twice, 4 h of L² each.
    assert least[kernel_gaps.ATTENTION] == pytest.approx(3 * 24 * 4 * 1024 * 100_000 / 1e14)


def test_what_moves_bytes_follows_from_the_shape() -> None:
    least = floors(CONFIG, WORK, CEILINGS)
    assert least[kernel_gaps.OPTIMISER] == pytest.approx(28 * 336_226_108 / 1e12)
    assert least[kernel_gaps.ELEMENTWISE] == pytest.approx(
        2 * (24 * 1000 * (12 * 1024 + 5 * 4096) + 3 * 150 * 30522) / 1e12
    )
    twice = floors(CONFIG, WORK, replace(CEILINGS, bytes=2e12))
    assert twice[kernel_gaps.OPTIMISER] == pytest.approx(least[kernel_gaps.OPTIMISER] / 2)
    assert least[kernel_gaps.COPIES] == least[kernel_gaps.HOST] == 0


def test_gaps_are_sorted_and_what_nothing_fills_is_the_hosts() -> None:
    kernels = [
        Kernel("nvjet_a", 10, 0.030),
        Kernel("nvjet_b", 5, 0.010),
        Kernel("flash_fwd_kernel", 24, 0.004),
        Kernel("triton_poi_fused__to_copy_gelu_3", 24, 0.008),
    ]
    least = dict.fromkeys(floors(CONFIG, WORK, CEILINGS), 0.0) | {kernel_gaps.PRODUCTS: 0.035}
    found = gaps(kernels, 0.070, least)
    assert [one.kind for one in found[:4]] == [
        kernel_gaps.HOST,
        kernel_gaps.ELEMENTWISE,
        kernel_gaps.PRODUCTS,
        kernel_gaps.ATTENTION,
    ]
    assert found[0].seconds == pytest.approx(0.018)
    assert found[2].gap == pytest.approx(0.005)
    assert (found[2].count, found[2].largest) == (15, ("nvjet_a", "nvjet_b"))
    assert sum(one.seconds for one in found) == pytest.approx(0.070)


def test_the_host_is_never_waited_for_less_than_nothing() -> None:
    """Under the profiler kernels may take longer than the undisturbed step."""
    least = dict.fromkeys(floors(CONFIG, WORK, CEILINGS), 0.0)
    found = {one.kind: one for one in gaps([Kernel("nvjet_a", 1, 0.08)], 0.07, least)}
    assert found[kernel_gaps.HOST].seconds == 0
